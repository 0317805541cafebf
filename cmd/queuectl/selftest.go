package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/queuectl/queuectl/internal/storm"
)

type selftestCmd struct {
	For  duration `default:"10s" placeholder:"DURATION" help:"How long processes are killed. Default: ${default}."`
	Seed *uint64  `placeholder:"N" help:"Make the same choices as the selftest that has printed this seed."`
	In   string   `placeholder:"DIR" help:"Where to make its directory. Default: beside the queue's, on the same file system."`
}

// Help is shown below the usage line.
func (selftestCmd) Help() string {
	return `It shows whether this program keeps its word on your disk. In a directory of its own, beside the queue's
and on the same file system, writers, workers, readers and the commands of jobs run, and one of these
processes after the other is killed with SIGKILL. What they saw is then compared with the log: every
enqueue that was answered and every commit that a reader was shown must be there, every job must have
completed, no two runs of a job may have overlapped, and nothing of any run may live any more.

Your own queue is not touched. Ctrl-C ends it and leaves nothing. If something is not as it has to be,
the exit code is 1, and the directory is kept and named. --seed repeats the choices, not their timing.
What killing cannot show is what a power cut would: 'queuectl doctor' looks at the disk.

Examples:

  queuectl selftest
  queuectl selftest --for 60s
  queuectl selftest --for 10m --in /mnt/data -o json`
}

// What a storm is made of.
const (
	selftestWriters = 4
	selftestWorkers = 3
	selftestPause   = 200 * time.Millisecond // between two kills, at most
)

// Run lets the storm rage.
func (c *selftestCmd) Run(ctx context.Context, s *session) error {
	const shortest, longest = time.Second, 24 * time.Hour
	if d := time.Duration(c.For); d < shortest || d > longest {
		return usage(fmt.Sprintf("--for must be from %s to %s", shortest, "24h"), "")
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	seed, err := c.seed()
	if err != nil {
		return err
	}
	if c.In != "" {
		if c.In, err = filepath.Abs(c.In); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	trial := storm.Trial{Queue: s.dir, In: c.In, For: time.Duration(c.For), Options: s.options(), Progress: s.stormProgress()}
	o, err := trial.Run(ctx, &storm.Storm{
		Random: mathrand.New(mathrand.NewPCG(seed, seed)), Pause: selftestPause,
		Writers: selftestWriters, Workers: selftestWorkers, Others: []storm.Role{storm.Follower, storm.Snapshotter},
	}, func(place storm.Place, role storm.Role, name string) *exec.Cmd {
		args := []string{"--dir", place.Queue(), "--log-level", "error", "--output", "table", "play", string(role), name}
		if s.allowNetworkFS {
			args = append(args, "--allow-network-fs")
		}
		cmd := exec.Command(self, args...)
		cmd.SysProcAttr = apart() // of Ctrl-C it hears from the storm
		return cmd
	})
	if err != nil {
		return selftestFailure(ctx, err, o)
	}
	if err := printSelftest(s, viewSelftest(o, seed, time.Duration(c.For))); err != nil {
		return err
	}
	return selftestVerdict(o)
}

func (c *selftestCmd) seed() (uint64, error) {
	if c.Seed != nil {
		return *c.Seed, nil
	}
	var b [4]byte // short enough to be typed
	if _, err := rand.Read(b[:]); err != nil {
		return 0, fmt.Errorf("choose a seed: %w", err)
	}
	return uint64(binary.LittleEndian.Uint32(b[:])), nil
}

// stormProgress says on a terminal where a selftest stands.
func (s *session) stormProgress() func(storm.Stage) {
	if !s.errTerminal || s.quiet {
		return nil
	}
	words := map[storm.Doing]string{storm.Draining: "Running what is left", storm.Checking: "Checking", storm.Removing: ""}
	return func(at storm.Stage) {
		text := words[at.Doing]
		if at.Doing == storm.Storming {
			text = fmt.Sprintf("%s, %s left", count(at.Kills, "kill"), roughly(max(0, at.Left)))
		}
		fmt.Fprintf(s.stderr, "\r%s\x1b[K", text)
	}
}

// selftestFailure is what it means that a selftest did not come to its end.
func selftestFailure(ctx context.Context, err error, o storm.Outcome) error {
	kept := ""
	if o.Kept {
		kept = "everything is kept in " + string(o.Place)
	}
	_, ended := errors.AsType[*storm.EndedError](err)
	switch {
	case ctx.Err() != nil && o.Kept:
		return &failure{exit: exitInterrupted, code: "not_removed", err: err, hint: kept}
	case ctx.Err() != nil:
		return exitCode(exitInterrupted)
	case ended:
		return &failure{exit: exitFailed, code: "selftest_failed", err: err, hint: kept}
	case errors.Is(err, storm.ErrElsewhere):
		return &failure{
			exit: exitFailed, code: "other_file_system", err: err,
			hint: "the queue's directory is a mount point; name a directory on that file system with --in",
		}
	case o.Place == "":
		return &failure{err: err, hint: "name a directory that you may write to with --in"}
	}
	return &failure{err: err, hint: kept}
}
