package projection_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// heap returns how many bytes are in use. It is not for parallel tests.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// round folds jobs that complete at once, and returns the events with their places.
func round(h *history, worker job.Position, n int) (list []folded) {
	add := func(e job.Event) job.Position {
		list = append(list, folded{h.at, e})
		return h.add(e)
	}
	for range n {
		e := enqueued(fmt.Sprint("job", h.at.Position))
		e.Spec.Command = strings.Repeat("x", 100)
		key := add(e)
		run := add(job.JobClaimed{Job: key, Worker: worker})
		add(&job.JobCompleted{Job: key, Run: run})
	}
	return list
}

type folded struct {
	at job.At
	e  job.Event
}

// TestRebaseAndForget_KeepMemoryFlat: a process that lives long holds no more than what waits or runs, and what
// happened lately.
func TestRebaseAndForget_KeepMemoryFlat(t *testing.T) {
	const jobs, rounds = 10_000, 6
	for name, rebase := range map[string]bool{"rebase": true, "forget": false} {
		h := newHistory()
		worker := h.add(workerStarted("w"))
		beside := projection.New()
		beside.Fold(job.At{Position: worker, Time: noon.UnixNano(), Actor: h.at.Actor}, workerStarted("w"))
		var first, last int64
		for n := range rounds {
			list := round(h, worker, jobs)
			if rebase {
				for _, f := range list {
					beside.Fold(f.at, f.e)
				}
				file := newFileOnDisk(t)
				if err := beside.Save(0, file); err != nil {
					t.Fatal(err)
				}
				files := []projection.File{file.reader()}
				beside = projection.Load(files)
				if !h.Rebase(files) {
					t.Fatal("it was not rebased")
				}
			} else {
				for _, e := range h.Ripe(job.Completed, h.at.Time, h.at.Time) {
					h.add(e)
				}
			}
			list = nil
			if last = heap(); n == 0 {
				first = last
			}
		}
		if grown := last - first; grown > 1<<20 {
			t.Errorf("%s: the heap has grown by %d bytes in %d rounds of %d jobs", name, grown, rounds-1, jobs)
		}
		if got := h.Counts()[job.Completed]; rebase && got != jobs*rounds || !rebase && got != 0 {
			t.Errorf("%s: %d jobs are completed", name, got)
		}
	}
}

// fileOnDisk is a snapshot file of which only the directory is in memory.
type fileOnDisk struct {
	f      *os.File
	size   int64
	blocks map[uint16][]span
}

type span struct {
	first        uint64
	offset, size int64
}

func newFileOnDisk(t *testing.T) *fileOnDisk {
	f, err := os.Create(filepath.Join(t.TempDir(), "blocks"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &fileOnDisk{f: f, blocks: map[uint16][]span{}}
}

func (f *fileOnDisk) Block(section uint16, first uint64, data []byte) error {
	f.blocks[section] = append(f.blocks[section], span{first, f.size, int64(len(data))})
	f.size += int64(len(data))
	_, err := f.f.Write(data)
	return err
}

// reader is the other side of it.
func (f *fileOnDisk) reader() projection.File { return diskReader{f} }

type diskReader struct{ *fileOnDisk }

func (r diskReader) Blocks(section uint16) int          { return len(r.blocks[section]) }
func (r diskReader) First(section uint16, i int) uint64 { return r.blocks[section][i].first }
func (r diskReader) Block(section uint16, i int) ([]byte, error) {
	b := make([]byte, r.blocks[section][i].size)
	_, err := r.f.ReadAt(b, r.blocks[section][i].offset)
	return b, err
}

// TestRebase_LosesSightOfNobody: what memory has given up is found in the files, wherever it stood in memory.
func TestRebase_LosesSightOfNobody(t *testing.T) {
	t.Parallel()
	h := newHistory()
	beside := projection.New()
	beside.Fold(h.at, workerStarted("w"))
	worker := h.add(workerStarted("w"))
	ids := map[string]job.Position{}
	for range 3 {
		for _, f := range round(h, worker, 600) {
			beside.Fold(f.at, f.e)
			if e, ok := f.e.(*job.JobEnqueued); ok {
				ids[e.Spec.ID] = f.at.Position
			}
		}
		file := newFileOnDisk(t)
		if err := beside.Save(0, file); err != nil {
			t.Fatal(err)
		}
		if !h.Rebase([]projection.File{file.reader()}) {
			t.Fatal("it was not rebased")
		}
	}
	for id, key := range ids {
		if got := h.Key(id); got != key {
			t.Errorf("job %s is %d, want %d", id, got, key)
		}
	}
	listed := 0
	for range h.List(projection.Filter{}) {
		listed++
	}
	if listed != len(ids) || h.Counts()[job.Completed] != len(ids) {
		t.Errorf("%d jobs are listed and %d counted, want %d", listed, h.Counts()[job.Completed], len(ids))
	}
}

// TestRebase_WaitsForFilesThatKnowWhoHasLeft: of a job that ran when the files were written, and was forgotten since,
// they would say that it runs still.
func TestRebase_WaitsForFilesThatKnowWhoHasLeft(t *testing.T) {
	t.Parallel()
	h := newHistory()
	worker := h.add(workerStarted("w"))
	key := h.add(enqueued("a"))
	save := func(p *projection.Projection) []projection.File {
		t.Helper()
		file := newFileOnDisk(t)
		if err := p.Save(0, file); err != nil {
			t.Fatal(err)
		}
		return []projection.File{file.reader()}
	}
	files := save(h.Projection)
	h.Projection = projection.Load(files)
	beside := projection.Load(files)
	at := h.at
	run := h.add(job.JobClaimed{Job: key, Worker: worker})
	beside.Fold(at, job.JobClaimed{Job: key, Worker: worker})
	running := save(beside)
	h.add(&job.JobCompleted{Job: key, Run: run})
	for _, e := range h.Ripe(job.Completed, h.at.Time, h.at.Time) {
		h.add(e)
	}
	if h.Rebase(running) {
		t.Error("it rests on files in which a forgotten job runs")
	}
	if h.Key("a") != 0 {
		t.Error("the forgotten job is back")
	}
}
