package storm

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/queuectl/queuectl/queue"
)

func TestFollow_NotesWhatComes(t *testing.T) {
	t.Parallel()
	p := calm(t, "a")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	followed := make(chan error, 1)
	go func() { followed <- p.Follow(ctx) }()
	for n := 0; check(t, p).Shown == 0; n++ { // it may begin late, and then skips what is there
		enqueue(t, p, string(rune('b'+n)))
	}
	cancel()
	if err := <-followed; err != nil {
		t.Error(err)
	}
	if r := check(t, p); len(r.Lost) > 0 {
		t.Errorf("lost: %v", r.Lost)
	}
}

func TestSave_WritesSnapshotsOfWhatComes(t *testing.T) {
	t.Parallel()
	p := calm(t, "a")
	with(t, p, func(q *queue.Queue) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		saved := make(chan error, 1)
		go func() { saved <- p.Save(ctx, q) }()
		var files []string
		for n := 0; len(files) == 0; n++ {
			enqueue(t, p, string(rune('b'+n)))
			var err error
			if files, err = filepath.Glob(filepath.Join(p.Queue(), "snapshot", "*-*")); err != nil {
				return err
			}
		}
		cancel()
		return <-saved
	})
}
