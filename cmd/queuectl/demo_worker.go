package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// demoWorker is a worker process of the demo.
type demoWorker struct {
	cmd    *exec.Cmd
	stderr strings.Builder
	gone   chan struct{} // closed when the process has ended; err is then how
	err    error
}

// worker starts a worker process.
func (d *demo) worker(args ...string) (*demoWorker, error) {
	w := &demoWorker{gone: make(chan struct{})}
	w.cmd = exec.Command(d.self, append([]string{"--dir", d.dir, "--log-level", "error", "worker", "start"}, args...)...)
	w.cmd.Stderr = &w.stderr
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a worker process: %w", err)
	}
	d.workers = append(d.workers, w)
	go func() {
		defer close(w.gone)
		w.err = w.cmd.Wait()
	}()
	return w, nil
}

// wait waits for the end of the process.
func (w *demoWorker) wait(ctx context.Context) error {
	select {
	case <-w.gone:
	case <-ctx.Done():
		return ctx.Err()
	}
	if w.err != nil {
		return fmt.Errorf("worker process: %w: %s", w.err, strings.TrimSpace(w.stderr.String()))
	}
	return nil
}

// drain runs a worker process until nothing is left to do.
func (d *demo) drain(ctx context.Context) error {
	w, err := d.worker("--until-empty")
	if err != nil {
		return err
	}
	return w.wait(ctx)
}

// endWorkers ends the processes that are left when the demo ends early, and what they run. A worker that
// is just starting is not reached by one request.
func (d *demo) endWorkers(ctx context.Context) {
	const patience = 20 * time.Second // more than kill_grace
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, w := range d.workers {
		for w.lives() {
			_, _ = d.q.RequestStop(ctx, true) // if it fails, patience ends
			select {
			case <-w.gone:
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				_ = w.cmd.Process.Kill() // it may have ended just now
				<-w.gone
			}
		}
	}
}

func (w *demoWorker) lives() bool {
	select {
	case <-w.gone:
		return false
	default:
		return true
	}
}
