package projection_test

import (
	"testing"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// FuzzLoad exchanges one block of a snapshot file for any bytes, as if their checksum were right: what is wrong
// with them must end in a BaseError, and in nothing else.
func FuzzLoad(f *testing.F) {
	h := newHistory()
	worker := h.add(workerStarted("w"))
	h.add(cronAdded("nightly", noon))
	for i := range 3 {
		e := enqueued("")
		if e.Spec.ID = job.MadeID(h.at.Position, uint64(i)); i == 1 {
			e.Spec.ID = "chosen"
		}
		key := h.add(e)
		run := h.add(job.JobClaimed{Job: key, Worker: worker})
		if i > 0 {
			h.add(&job.JobFailed{Job: key, Run: run, Why: job.WhyExit, Result: job.Result{Exit: 3, Tail: "no"}, NextAttemptAt: 1e18})
		}
	}
	sound := &memoryFile{}
	if err := h.Save(0, sound); err != nil {
		f.Fatal(err)
	}
	for section, blocks := range sound.sections {
		f.Add(section, blocks[0].data)
	}
	f.Fuzz(func(t *testing.T, section uint16, data []byte) {
		file := &memoryFile{sections: map[uint16][]memoryBlock{}}
		for s, blocks := range sound.sections {
			if s == section {
				blocks = []memoryBlock{{blocks[0].first, data}}
			}
			file.sections[s] = blocks
		}
		defer func() {
			if cause := recover(); cause != nil {
				if _, ok := cause.(*projection.BaseError); !ok {
					panic(cause)
				}
			}
		}()
		p := projection.Load([]projection.File{reading{file}})
		for j := range p.List(projection.Filter{}) {
			_, _ = p.Brief(j.Key)
		}
		_ = p.Key("chosen")
		_ = p.AppendCanonical(nil)
		for e := range p.Crons() {
			_, _ = p.Cron(e.Name)
		}
		for range p.LoadLive() {
			continue
		}
	})
}
