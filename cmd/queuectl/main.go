// Command queuectl is a job queue in one binary and one directory: it enqueues shell jobs, runs them in
// any number of worker processes, retries those that fail and keeps the whole history.
//
// This package is the command line only: grammar, printing and exit codes. Every rule about jobs is in
// the packages below it.
package main

import (
	"context"
	"os"
	"os/signal"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program: it carries out one command line and returns the exit code.
func run(args []string, stdin, stdout, stderr *os.File) int {
	s := newSession(stdin, stdout, stderr)
	ctx, stop := interruptible(context.Background())
	defer stop()
	return s.finish(ctx, s.execute(ctx, args))
}

// interruptible returns a context that ends with the first Ctrl-C. The second one kills the process, as
// if nobody had listened. A process that was started with SIGINT ignored, as a shell does with what it
// puts in the background, goes on ignoring it.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	if signal.Ignored(os.Interrupt) {
		return context.WithCancel(ctx)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
