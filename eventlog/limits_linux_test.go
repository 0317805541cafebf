package eventlog

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// limitProcess sets a limit of this process: bytes of a file, or descriptors besides those that are open.
func limitProcess(t *testing.T, name, value string) {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	which := unix.RLIMIT_FSIZE
	if name == "files" {
		which = unix.RLIMIT_NOFILE
		for range n + 1 { // each gets the lowest number that is free
			f, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			n = uint64(f.Fd())
		}
	}
	if err := unix.Setrlimit(which, &unix.Rlimit{Cur: n, Max: n}); err != nil {
		t.Fatal(err)
	}
}

// processLimit is a limit of a process that appends.
type processLimit struct {
	scene, name string
	value       int
}

// ample says that a process can work within the limit.
func (l processLimit) ample() bool {
	if l.name == "files" {
		return l.value >= 6
	}
	return l.value >= faultySegment // the last segment of the scenes has room for one commit below it
}

// TestLimits_EveryAnswerIsTrue runs a process that appends and may not make files larger than so many bytes, so
// that a write ends in the middle of a frame; or may not have more than so many files open. Segments of the usual
// size would not fit: it must begin the next one before.
func TestLimits_EveryAnswerIsTrue(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	t.Parallel()
	var limits []processLimit
	for scene := range scenes {
		for files := range 12 {
			limits = append(limits, processLimit{scene, "files", files})
		}
		for size := 0; size < 2*faultySegment; size += 97 {
			limits = append(limits, processLimit{scene, "bytes", size})
		}
	}
	next := make(chan processLimit, len(limits))
	for _, l := range limits {
		next <- l
	}
	close(next)
	var wg sync.WaitGroup
	var mu sync.Mutex
	count := map[answer]int{}
	for range 4 {
		wg.Go(func() {
			for l := range next {
				answers := l.try(t)
				mu.Lock()
				for _, a := range answers {
					count[a]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d limits: %d commits acknowledged, %d refused, %d unknown", len(limits), count[committed], count[notThere], count[unknown])
}

// try runs a process within the limit and checks what it was told.
func (l processLimit) try(t *testing.T) map[int]answer {
	dir := filepath.Join(t.TempDir(), "q")
	scenes[l.scene](t, dir)
	c := process(t.Context(), t, "append whatever happens", dir, l.name, strconv.Itoa(l.value))
	var output bytes.Buffer
	c.Stdout, c.Stderr = &output, &output
	err := c.Run()
	run := faultyRun{output: output.String(), err: err, fired: true, told: understand(said(output.String()))}
	j := faultJudge{fault: fault{scene: l.scene, call: l.name}, run: run, dir: dir}
	j.judge(t)
	if l.ample() {
		for k := range faultyAppends {
			if run.answers[k] != committed {
				j.fail("append %d: %q", k, run.answers[k])
			}
		}
	}
	if len(j.wrong) > 0 {
		t.Errorf("at most %d more %s, %s:\n\t%s\nprocess: %v:\n%s", l.value, l.name, l.scene, strings.Join(j.wrong, "\n\t"), err, output.String())
	}
	return run.answers
}
