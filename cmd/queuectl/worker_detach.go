package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/queuectl/queuectl/queue"
)

// detached is a worker process that goes on without this one.
type detached struct {
	ID  string `json:"id"`
	PID int    `json:"pid"`
	Log string `json:"log"` // file that it logs to
}

// detach starts this command line again as a process of its own, and waits until that is a worker in the log: who
// reads its id can count on it. What it logs goes to a file in the directory of the queue.
func (c *workerStartCmd) detach(ctx context.Context, s *session) error {
	// The queue is made here, so that what is wrong with it is said here.
	if err := s.change(ctx, func(*queue.Queue) error { return nil }); err != nil {
		return err
	}
	log, err := s.makeWorkerLog()
	if err != nil {
		return err
	}
	defer log.Close() // the worker has it
	cmd, err := s.again(log)
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	kill := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() }) // Ctrl-C before it has started
	id, _ := bufio.NewReader(stdout).ReadString('\n')
	if id = strings.TrimSpace(id); !kill() || id == "" {
		_ = stdout.Close()
		return errors.Join(ctx.Err(), notStarted(cmd, log.Name()))
	}
	d := detached{ID: id, PID: cmd.Process.Pid, Log: log.Name()}
	switch {
	case s.quiet:
		s.printf("%s", d.ID)
	case s.format.machine():
		return s.document(d)
	default:
		s.printf("Started worker %s (count=%d, pid %d), which logs to %s", d.ID, c.Count, d.PID, plain(d.Log))
	}
	return nil
}

// again is this command line without --detach, in a process of its own. Its standard output is its id alone, and
// its errors are words.
func (s *session) again(log *os.File) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	args := os.Args[1:]
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i] // nothing can follow it
	}
	args = slices.DeleteFunc(slices.Clone(args), func(arg string) bool {
		return arg == "--json" || arg == "--detach" || strings.HasPrefix(arg, "--detach=")
	})
	cmd := exec.Command(self, append(args, "--dir", s.dir, "--quiet", "--output", "table")...)
	cmd.Args[0] = os.Args[0]
	cmd.Stderr = log
	cmd.SysProcAttr = apart()
	return cmd, nil
}

// makeWorkerLog makes the file that a detached worker logs to.
func (s *session) makeWorkerLog() (*os.File, error) {
	dir := filepath.Join(s.dir, "output", "workers")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	const made = "20060102T150405Z"
	name := fmt.Sprintf("%s-%s.log", s.now.UTC().Format(made), strings.ToLower(rand.Text()[:6]))
	return os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_WRONLY, 0o600)
}

// notStarted says why a worker ended before it had begun, as far as it said so itself.
func notStarted(cmd *exec.Cmd, log string) error {
	why := cmd.Wait()
	code := cmd.ProcessState.ExitCode()
	if code <= 0 {
		code = 1
	}
	said, _ := os.ReadFile(log)
	for _, line := range lines(string(said)) {
		if own, found := strings.CutPrefix(line, "queuectl: error: "); found {
			why = errors.New(own)
		}
	}
	return &failure{exit: code, message: fmt.Sprintf("the worker did not start: %v", why), hint: "its log is " + log}
}
