package queue_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// TestRun_WithoutDescriptorsWhatRunsGoesOn: the log goes on to another segment, which the worker cannot open
// because it may open no file any more. What it runs must not suffer from that.
func TestRun_WithoutDescriptorsWhatRunsGoesOn(t *testing.T) {
	const starving = "QUEUE_TEST_STARVING"
	if dir := os.Getenv(starving); dir != "" {
		starve(t, dir)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	q := open(t, dir)
	enqueue(t, q, job.Spec{ID: "patient", Kind: "starve", MaxRetries: new(uint32)})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	worker := exec.Command(self, "-test.run=^"+t.Name()+"$")
	worker.Env = append(os.Environ(), starving+"="+dir)
	var complaints bytes.Buffer
	worker.Stderr = &complaints
	stdin, err := worker.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := worker.StdoutPipe()
	if err == nil {
		err = worker.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "starving" {
	}
	var many []job.Spec
	for i := range 300 {
		many = append(many, job.Spec{ID: fmt.Sprint("other", i), Queue: "other", Command: strings.Repeat("x", 1000)})
	}
	enqueue(t, q, many...) // more than a segment
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(stdout)
	if err := worker.Wait(); err != nil {
		t.Errorf("the worker ended with %v: %s%s", err, rest, complaints.String())
	}
	if j := find(t, q, "patient"); j.State != job.Completed || j.Runs != 1 {
		t.Errorf("the job is %s after %d runs, want completed after 1: %s", j.State, j.Runs, j.LastError)
	}
}

// starve runs a worker until the queue is empty. Its job takes the right to open files from the process, until the
// worker has complained.
func starve(t *testing.T, dir string) {
	complained := make(chan struct{}, 100)
	logger := zerolog.New(writerFunc(func(line []byte) (int, error) {
		if bytes.Contains(line, []byte("claiming nothing")) && bytes.Contains(line, []byte(unix.EMFILE.Error())) {
			complained <- struct{}{}
		}
		return os.Stderr.Write(line)
	}))
	q, err := queue.Open(t.Context(), dir, queue.Options{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	handler := func(ctx context.Context, _ job.Job) error {
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Max: limit.Max}); err != nil {
			return err
		}
		defer unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
		fmt.Println("starving")
		if _, err := io.ReadAll(os.Stdin); err != nil {
			return err
		}
		select {
		case <-complained:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err = q.Run(t.Context(), queue.WorkerOptions{
		Handlers: map[string]queue.Handler{"starve": handler}, Queues: []string{job.DefaultQueue}, UntilEmpty: true,
	})
	if err != nil {
		t.Error(err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
