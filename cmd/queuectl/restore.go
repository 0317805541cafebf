package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/queuectl/queuectl/queue"
)

type restoreCmd struct {
	File string `arg:"" placeholder:"FILE" help:"A file that 'queuectl backup' has written; - reads it from stdin."`
}

// Help is shown below the usage line.
func (restoreCmd) Help() string {
	return `The queue is made in the directory that --dir names, which must not exist, or be empty. All of the
backup is verified first; the directory is there wholly or not at all. It is made beside its place, in
the same parent directory, and then moved there.

Jobs that ran when the backup was made run again with the first worker. If the queue that the backup is
of still lives, there are two then, and both run what was pending: stop the workers of one of them.
'queuectl log list' of the restored one says that and when it was restored.

Examples:

  queuectl restore queue.tar.zst --dir /var/lib/queue
  ssh elsewhere 'cat queue.tar.zst' | queuectl restore -`
}

// Run restores.
func (c *restoreCmd) Run(ctx context.Context, s *session) error {
	in, name, err := c.open(s)
	if err != nil {
		return err
	}
	defer in.Close() // only read
	info, err := queue.Restore(ctx, queue.Backup{Stream: in, Name: name}, s.dir, s.options())
	if errors.Is(err, syscall.EBUSY) || errors.Is(err, fs.ErrPermission) {
		return &failure{
			exit: exitFailed, code: "permission", err: err,
			hint: fmt.Sprintf("nothing was changed; it is made in %s first: that must be writable, and %s no mount point", filepath.Dir(s.dir), s.dir),
		}
	}
	if err != nil {
		return err
	}
	switch {
	case s.quiet:
	case s.format.machine():
		return s.document(viewBackup(c.File, info))
	default:
		s.printf("Restored to %s", s.dir)
		s.fields(
			[2]string{"events", fmt.Sprint(info.Head.Position)},
			[2]string{"backup", "of " + time.Unix(0, info.Time).Local().Format(time.DateTime)},
			[2]string{"head", headWords(info.Head)},
		)
	}
	return nil
}

func (c *restoreCmd) open(s *session) (in io.ReadCloser, name string, err error) {
	if c.File == "-" {
		return io.NopCloser(s.stdin), "", nil
	}
	f, err := os.Open(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", &failure{exit: exitFailed, code: "no_file", message: "there is no file " + c.File, hint: "'queuectl backup FILE' makes one"}
	}
	return f, filepath.Base(c.File), err
}
