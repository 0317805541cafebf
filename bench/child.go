package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Work is done in processes of their own: in one that is measured nothing is left of what was measured before, several
// can work at once, and strace sees nothing else. Such a process says that it is ready, waits for the end of its
// standard input, works, and says that it is done, with what it found out.

// load is what a process is to do.
type load struct {
	Dir   string
	N     int    // jobs, records, events or rounds
	Slots int    // goroutines or handlers at a time
	Size  int    // of a record, bytes
	Batch int    // records a sync
	Lock  bool   // around each batch
	Mark  string // a file to write a byte to after each answer, for strace; "" = none
}

var works = map[string]func(context.Context, *child) error{
	"enqueue": childEnqueue, "raw": childRaw, "bulk": childBulk, "parse": childParse, "drain": childDrain, "keep": childKeep,
	"idle": childIdle, "replay": childReplay, "first": childFirst, "memory": childMemory, "steps": childSteps, "stall": childStall,
}

// child is the process that does the work.
type child struct {
	load
	mark *os.File
}

func runChild(args []string) error {
	if len(args) != 2 || works[args[0]] == nil {
		return fmt.Errorf("no such work: %q", args)
	}
	var c child
	if err := json.Unmarshal([]byte(args[1]), &c.load); err != nil {
		return err
	}
	if c.Mark != "" {
		f, err := os.OpenFile(c.Mark, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		c.mark = f
	}
	return works[args[0]](context.Background(), &c)
}

// ready returns when all processes that work together are.
func (c *child) ready() {
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin) // its end is what is waited for, however it comes
	c.leave("begin", 0)
}

// leave leaves a word with a number in the trace.
func (c *child) leave(word string, number int64) {
	if c.mark != nil {
		_, _ = fmt.Fprintf(c.mark, "%s %d", word, number) // to nowhere
	}
}

// done reports. What follows is not measured.
func (c *child) done(figures ...float64) {
	if figures == nil {
		figures = []float64{}
	}
	line, err := json.Marshal(figures)
	if err != nil {
		panic(err) // they are numbers
	}
	fmt.Println(string(line))
}

// outcome is what processes came to that worked together.
type outcome struct {
	seconds float64 // from the signal until the last was done
	figures []float64
	cpu     time.Duration // user and system, from beginning to end
}

// process is a child as its parent sees it.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader
}

// start starts a process, which works when begin is called. The words before are a command that starts it.
func (l *lab) start(before []string, name string, work load) (*process, error) {
	arg, err := json.Marshal(work)
	if err != nil {
		return nil, err
	}
	words := append(append([]string{}, before...), l.self, "child", name, string(arg))
	p := &process{cmd: exec.Command(words[0], words[1:]...)}
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReaderSize(out, 1<<20)
	return p, p.cmd.Start()
}

// next reads a line.
func (p *process) next() ([]byte, error) {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("a process of %v ended early: %w", p.cmd.Args, err)
	}
	return line, nil
}

// together has k processes do the same at once.
func (l *lab) together(k int, name string, work load) (outcome, error) {
	return l.under(nil, k, name, work)
}

// under is together, with each process started by a command.
func (l *lab) under(before []string, k int, name string, work load) (o outcome, err error) {
	processes := make([]*process, k)
	for i := range processes {
		if processes[i], err = l.start(before, name, work); err != nil {
			return o, err
		}
		defer processes[i].cmd.Process.Kill() // no effect once it was waited for
	}
	for _, p := range processes {
		if _, err := p.next(); err != nil {
			return o, err
		}
	}
	start := time.Now()
	for _, p := range processes {
		p.stdin.Close()
	}
	for _, p := range processes {
		line, err := p.next()
		if err != nil {
			return o, err
		}
		var figures []float64
		if err := json.Unmarshal(line, &figures); err != nil {
			return o, fmt.Errorf("%s: %w: %s", name, err, line)
		}
		o.figures = append(o.figures, figures...)
	}
	o.seconds = time.Since(start).Seconds()
	for _, p := range processes {
		if err := p.cmd.Wait(); err != nil {
			return o, fmt.Errorf("%s: %w", name, err)
		}
		o.cpu += p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	}
	return o, nil
}
