package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/queuectl/queuectl/internal/effort"
)

// TestFaults_EveryAnswerIsTrue runs a process that appends, under strace, which makes one of its system
// calls fail, once or from then on, or kills it there. What the process was told must be true: what is
// committed is in the log, what is not committed is not, and the log is sound or mends itself.
func TestFaults_EveryAnswerIsTrue(t *testing.T) {
	t.Parallel()
	m := faultMatrix{t: t}
	m.strace = needStrace(t)
	chosen := m.choose()
	next := make(chan fault, len(chosen))
	for _, f := range chosen {
		next <- f
	}
	close(next)
	var wg sync.WaitGroup
	for range 4 { // mostly they wait for the disk
		wg.Go(func() {
			for f := range next {
				m.try(f)
			}
		})
	}
	wg.Wait()
	t.Logf("seed %d: %d runs, %d with a fault, of which %d ended the process; %d commits acknowledged, %d refused, %d unknown; the log was mended %d times",
		*faultsSeed, len(chosen), m.fired, m.died, m.count[committed], m.count[notThere], m.count[unknown], m.mended)
	effort.Report(t, map[string]int{"faults": len(chosen), "that happened": m.fired, "deaths": m.died})
	t.Logf("of the %d of the matrix", m.matrix)
	if len(chosen) > 50 && *faultsSkip == 0 && (m.fired < len(chosen)/2 || m.died == 0) {
		t.Error("most faults, or all kills, did not happen: the matrix is not what the process does")
	}
}

func needStrace(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace")
	}
	if output, err := exec.Command(path, "-f", "--seccomp-bpf", "-e", "inject=fsync:error=EIO:when=1..2", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("needs the right to trace, and a strace that injects faults: %v: %s", err, output)
	}
	return path
}

type faultMatrix struct {
	t      *testing.T
	strace string
	matrix int // how many faults it has

	mu                  sync.Mutex
	fired, died, mended int
	count               map[answer]int
}

// scenes make what the process finds in dir.
var scenes = map[string]func(t *testing.T, dir string){
	// Nothing: it makes the log.
	"create": func(*testing.T, string) {},
	// A log that was closed, and whose tail has room for a few commits.
	"append": func(t *testing.T, dir string) { faultyLog(t, dir) },
	// A log after a crash: the end was not known to be durable, and a frame is torn.
	"recover": func(t *testing.T, dir string) {
		faultyLog(t, dir)
		torn := takenBack(t, dir, strings.Repeat("torn", 100))
		path, _ := tailOf(t, dir)
		appendBytes(t, path, torn[:300])
		if err := os.Remove(filepath.Join(dir, logDir, durableFile)); err != nil {
			t.Fatal(err)
		}
	},
}

func faultyLog(t *testing.T, dir string) {
	h := openDirLog(t, dir, Options{SegmentSize: faultySegment})
	for i := range 2 {
		h.append(t, fmt.Sprintf("before %d ", i)+strings.Repeat("x", faultySize))
	}
	h.Close()
}

const (
	faultySize    = 400  // bytes of each event
	faultySegment = 1700 // so that a segment has a few of them
	faultyAppends = 8
	faultyMore    = 4 // appends in which one must succeed if all is well again
)

// faultyRun is what is known of a process that has ended.
type faultyRun struct {
	output string
	told
	err   error
	fired bool
}

// run runs the process under strace until it ends. What it has written is in trace.
func (m *faultMatrix) run(dir, trace string, f fault, inject []string) faultyRun {
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute) // it may hang
	defer cancel()
	c := process(ctx, m.t, "append whatever happens", dir)
	args := append([]string{m.strace, "-f", "-q", "-o", trace}, inject...)
	if f.error != "SIGKILL" { // which would be lost
		args = append(args, "--seccomp-bpf")
	}
	if f.scene != "create" {
		// Only calls about the log are counted. While it is made, its names are not known.
		for _, path := range faultyPaths(dir) {
			args = append(args, "-P", path)
		}
	}
	c.Args = append(args, c.Path, c.Args[1])
	c.Path = m.strace
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) } // what it traces, too
	var output, errors bytes.Buffer
	c.Stdout, c.Stderr = &output, &errors
	err := c.Run()
	traced, _ := os.ReadFile(trace) // none if strace did not start, which err says
	r := faultyRun{output: output.String(), err: err, fired: bytes.Contains(traced, []byte("INJECTED")) || bytes.Contains(traced, []byte("killed by SIGKILL"))}
	r.told = understand(said(r.output))
	r.output += errors.String()
	return r
}

// faultyPaths returns the names of all that the process can touch below dir.
func faultyPaths(dir string) []string {
	paths := []string{dir, filepath.Join(dir, sealedDir), filepath.Join(dir, quarantineDir), filepath.Join(dir, logDir)}
	for _, name := range []string{formatFile, lockFile, durableFile} {
		paths = append(paths, filepath.Join(dir, logDir, name))
	}
	for first := range Commit(faultyAppends + faultyMore + 4) {
		paths = append(paths, filepath.Join(dir, logDir, segmentName(first+1)), filepath.Join(dir, sealedDir, segmentName(first+1)))
	}
	return paths
}

// try runs the process with a fault, and checks what it was told.
func (m *faultMatrix) try(f fault) {
	root, err := os.MkdirTemp(m.t.TempDir(), "")
	if err != nil {
		m.t.Error(err)
		return
	}
	dir := filepath.Join(root, "q")
	scenes[f.scene](m.t, dir)
	r := m.run(dir, filepath.Join(root, "trace"), f, f.inject())
	j := faultJudge{fault: f, run: r, dir: dir}
	j.judge(m.t)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count == nil {
		m.count = map[answer]int{}
	}
	for _, a := range r.answers {
		m.count[a]++
	}
	if r.fired {
		m.fired++
	}
	if !r.done {
		m.died++
	}
	m.mended += j.mended
	if len(j.wrong) == 0 {
		os.RemoveAll(root)
		return
	}
	kept, err := os.MkdirTemp("", "faults-")
	if err = errors.Join(err, os.Rename(root, filepath.Join(kept, "run"))); err != nil {
		kept = err.Error()
	}
	m.t.Errorf("%v:\n\t%s\nagain: go test ./eventlog -run Faults -faults '%v'\nkept: %s\nprocess: %v:\n%s",
		f, strings.Join(j.wrong, "\n\t"), f, kept, r.err, r.output)
}
