package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/simulate"
)

// The exit codes; docs/reference explains them.
const (
	exitFailed      = 1   // the operation failed
	exitUsage       = 2   // bad usage or bad input
	exitDamaged     = 4   // the log is damaged; nothing was changed
	exitUnknown     = 5   // outcome unknown, done but not told, or a worker that cannot record
	exitTimeout     = 124 // wait timed out
	exitCannotWait  = 125 // wait could not wait
	exitInterrupted = 130 // Ctrl-C
)

// exitCode is an error of which everything has been said: only the code is left to return.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// failure is an error as the user gets it.
type failure struct {
	exit    int
	code    string // for programs, stable
	message string // "" = err's
	hint    string // "" = none
	err     error  // cause; nil = none
}

func (f *failure) Error() string {
	if f.message == "" {
		return f.err.Error()
	}
	return f.message
}

func (f *failure) Unwrap() error { return f.err }

// usage is the failure of arguments that cannot be right.
func usage(message, hint string) error {
	return &failure{exit: exitUsage, code: "usage", message: message, hint: hint}
}

// invalid is the failure of input that cannot be right.
func invalid(message, hint string) error {
	return &failure{exit: exitUsage, code: "invalid", message: message, hint: hint}
}

// causes says what the errors of the packages below mean to the user. The first that fits counts.
var causes = []struct {
	err  error
	exit int
	code string
	hint string // with %s for the queue's directory
}{
	{errNotPrinted, exitFailed, "not_printed", ""},
	{eventlog.ErrUnknown, exitUnknown, "unknown_outcome", "the disk failed at the last moment: look with 'queuectl log list' whether it is there, before you try again"},
	{eventlog.ErrBadBackup, exitDamaged, "bad_backup", "nothing was changed; take another backup, or copy this one again from where it is whole"},
	{eventlog.ErrNotEmpty, exitFailed, "not_empty", "nothing was changed; choose another directory with --dir: a queue is restored to an empty one only"},
	{eventlog.ErrDiskFull, exitFailed, "disk_full", "nothing was changed; free some space on the disk of %s"},
	{syscall.EFBIG, exitFailed, "file_too_large", "nothing was changed; a file of this process may not become so large: see 'ulimit -f'"},
	{eventlog.ErrNotCommitted, exitFailed, "not_committed", "nothing was changed; it is safe to try again"},
	{eventlog.ErrReadOnly, exitFailed, "read_only", "nothing was changed; check who may write to %s"},
	{eventlog.ErrNewer, exitFailed, "newer_format", "nothing was changed; install the newer queuectl"},
	{eventlog.ErrNotOurs, exitFailed, "not_a_queue", "nothing was changed; choose another directory with --dir"},
	{eventlog.ErrNetworkFS, exitFailed, "network_fs", "choose a local directory with --dir, or use --allow-network-fs if you know that its locks hold"},
	{eventlog.ErrNoLog, exitFailed, "no_queue", "'queuectl enqueue' makes a queue in %s"},
	{eventlog.ErrBeyond, exitFailed, "no_such_moment", "the position may be that of another queue; this one is in %s"},
	{eventlog.ErrPruned, exitFailed, "pruned", "'queuectl log list --type ArchivePruned' says who pruned the log, when and why"},
	{eventlog.ErrTooLarge, exitUsage, "too_large", ""},
	{queue.ErrBeforeFirst, exitFailed, "no_such_moment", "the log in %s does not reach back so far"},
	{queue.ErrAfterLast, exitFailed, "no_such_moment", "'queuectl status -o json' says at which position the log is"},
	{job.ErrNotFound, exitFailed, "not_found", "'queuectl list' shows the jobs in %s"},
	{job.ErrAmbiguous, exitFailed, "ambiguous", "type more of the id, until no other begins like that"},
	{job.ErrDuplicate, exitFailed, "duplicate", "'--on-clash existing' takes the job that is there, '--on-clash replace' cancels it if it waits"},
	{job.ErrExists, exitFailed, "exists", "choose another id, or leave the job as it is with --skip-existing"},
	{job.ErrWrongState, exitFailed, "wrong_state", "'queuectl show ID' says where a job stands"},
	{job.ErrQueueFull, exitFailed, "queue_full", "start workers, or raise the limit with 'queuectl config set queue_max N'"},
	{queue.ErrNoSecret, exitFailed, "no_such_secret", "'queuectl secret list' shows the names in %s"},
	{job.ErrNoCron, exitFailed, "no_such_schedule", "'queuectl cron list' shows the schedules in %s"},
	{job.ErrCronExists, exitFailed, "exists", "choose another name"},
	{job.ErrNoWorker, exitFailed, "no_such_worker", "'queuectl worker list' shows the workers"},
	{simulate.ErrNoEnd, exitFailed, "nothing_recorded", "there must be a job that has ended; 'queuectl worker start --until-empty' runs what is due"},
	{simulate.ErrNoRuns, exitFailed, "nothing_recorded", "there must be a run that nobody ended; 'queuectl worker start --until-empty' runs what is due"},
	{simulate.ErrEndless, exitFailed, "endless", "it came to more than 100 times the runs of the record: set less retries, or a greater backoff_base"},
	{job.ErrUnknownKey, exitFailed, "unknown_key", "'queuectl config list' shows the settings"},
	{job.ErrInvalid, exitUsage, "invalid", ""},
	{syscall.ENOTDIR, exitFailed, "not_a_queue", "nothing was changed; choose another directory with --dir"},
	{fs.ErrPermission, exitFailed, "permission", "check who may read and write %s"},
	{syscall.ENOSPC, exitFailed, "disk_full", "free some space on the disk of %s"},
}

// explain turns any error into what the user gets to see.
func (s *session) explain(err error) *failure {
	f := &failure{exit: exitFailed, code: "failed", err: err}
	for _, c := range causes {
		if errors.Is(err, c.err) {
			f.exit, f.code, f.hint = c.exit, c.code, strings.ReplaceAll(c.hint, "%s", s.dir)
			break
		}
	}
	if f.exit == exitFailed && s.changed { // which would mean that nothing happened
		f.exit, f.code = exitUnknown, "not_printed"
		f.hint = "only the answer is lost: what was asked for is done, and 'queuectl log list' shows it; do not repeat it"
	}
	if _, ok := errors.AsType[*eventlog.CorruptError](err); ok {
		f.exit, f.code = exitDamaged, "damaged"
		f.hint = "nothing was changed, and the sound part can still be read; 'queuectl log verify' says what is damaged"
	}
	if given, ok := errors.AsType[*failure](err); ok {
		f.message = given.Error()
		if given.exit != 0 {
			f.exit = given.exit
		}
		if given.code != "" {
			f.code = given.code
		}
		if given.hint != "" {
			f.hint = given.hint
		}
	}
	return f
}

// complain prints a failure: for people, or for programs if JSON was asked for.
func (s *session) complain(f *failure) {
	if s.machineErrors {
		type body struct {
			Code    string  `json:"code"`
			Message string  `json:"message"`
			Hint    *string `json:"hint"`
		}
		e := body{Code: f.code, Message: f.Error()}
		if f.hint != "" {
			e.Hint = &f.hint
		}
		s.say(map[string]body{"error": e})
		return
	}
	_ = s.out.Flush() // what went well comes first; finish sees the error
	fmt.Fprintf(s.stderr, "queuectl: error: %s\n", plain(f.Error()))
	s.hint(f.hint)
}

// warn tells the user what they may not expect. It may be called from any goroutine.
func (s *session) warn(message string) {
	if s.machineErrors {
		s.say(map[string]map[string]string{"warning": {"message": message}})
		return
	}
	fmt.Fprintf(s.stderr, "queuectl: warning: %s\n", plain(message))
}

// hint names the next thing to do, for people who did not ask to be spared it.
func (s *session) hint(text string) {
	if text != "" && !s.quiet && !s.machineErrors {
		_ = s.out.Flush() // what it is about comes first; finish sees the error
		fmt.Fprintf(s.stderr, "queuectl: hint: %s\n", plain(text))
	}
}

// say prints a JSON line to stderr. What cannot be printed there cannot be reported anywhere.
func (s *session) say(v any) {
	enc := json.NewEncoder(s.stderr)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}
