package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/queuectl/queuectl/queue"
)

// grammar is the whole command line.
type grammar struct {
	Globals globals  `embed:""`
	Help    helpFlag `short:"h" group:"Global flags:" help:"Show help for the command."`

	Enqueue enqueueCmd `cmd:"" group:"Jobs:" help:"Add one job or many."`
	List    listCmd    `cmd:"" group:"Jobs:" help:"List jobs."`
	Show    showCmd    `cmd:"" group:"Jobs:" help:"Show everything about one job."`
	History historyCmd `cmd:"" group:"Jobs:" help:"Show every event of one job."`
	Explain explainCmd `cmd:"" group:"Jobs:" help:"Say why a job is where it is, and when it runs next."`
	Logs    logsCmd    `cmd:"" group:"Jobs:" help:"Print what a job printed."`
	Wait    waitCmd    `cmd:"" group:"Jobs:" help:"Wait for jobs to end."`
	Cancel  cancelCmd  `cmd:"" group:"Jobs:" help:"Withdraw jobs; running ones are ended."`
	Kill    killCmd    `cmd:"" group:"Jobs:" help:"End the current run of jobs."`
	Edit    editCmd    `cmd:"" group:"Jobs:" help:"Change jobs that wait."`
	Hold    holdCmd    `cmd:"" group:"Jobs:" help:"Keep jobs from being run until they are released."`
	Release releaseCmd `cmd:"" group:"Jobs:" help:"Let held jobs be run."`
	Retry   retryCmd   `cmd:"" group:"Jobs:" help:"Run failed or dead jobs again at once."`
	DLQ     dlqCmd     `cmd:"" name:"dlq" group:"Jobs:" help:"The dead letter queue: jobs that will not be retried by themselves."`

	Cron cronCmd `cmd:"" group:"Schedules:" help:"Jobs at recurring times."`

	Worker workerCmd `cmd:"" group:"Workers:" help:"Start, stop and list workers."`

	Queue    queueCmd    `cmd:"" group:"The queue:" help:"List, pause and limit queues."`
	Status   statusCmd   `cmd:"" group:"The queue:" help:"Show the queue at a glance."`
	Watch    watchCmd    `cmd:"" group:"The queue:" help:"Show the queue while it changes."`
	Diff     diffCmd     `cmd:"" group:"The queue:" help:"Show what changed between two moments."`
	Config   configCmd   `cmd:"" group:"The queue:" help:"Read and change settings."`
	Secret   secretCmd   `cmd:"" group:"The queue:" help:"Keep values that jobs need and nobody may see."`
	Log      logCmd      `cmd:"" group:"The queue:" help:"Read and check the event log."`
	Clean    cleanCmd    `cmd:"" group:"The queue:" help:"Let jobs that have ended leave the queue."`
	Backup   backupCmd   `cmd:"" group:"The queue:" help:"Write the whole log to one file."`
	Restore  restoreCmd  `cmd:"" group:"The queue:" help:"Make a queue of a backup."`
	Snapshot snapshotCmd `cmd:"" group:"The queue:" help:"Write a snapshot, so that opening the queue is quick."`
	Simulate simulateCmd `cmd:"" group:"The queue:" help:"Show what would have happened with other settings or workers."`
	Doctor   doctorCmd   `cmd:"" group:"The queue:" help:"Look at the queue's directory, and at what lies below it."`
	Selftest selftestCmd `cmd:"" group:"The queue:" help:"Kill processes at random, on a queue of its own, and prove that nothing is lost."`
	Demo     demoCmd     `cmd:"" group:"The queue:" help:"Show the queue at work, in a temporary directory, and check what it does."`
	Version  versionCmd  `cmd:"" group:"The queue:" help:"Print the version."`

	Play     playCmd     `cmd:"" hidden:"" help:"Be a process of a selftest."`
	HookPost hookPostCmd `cmd:"" hidden:"" help:"Call the address of a hook."`
}

// globals are the flags that every command has. Each can be set by an environment variable; the flags of
// single commands cannot, so that a job's own environment never steers what it calls.
type globals struct {
	Dir            string `group:"Global flags:" env:"QUEUECTL_DIR" placeholder:"DIR" help:"Directory of the queue. Default: queuectl in the user's state directory."`
	Output         string `group:"Global flags:" short:"o" env:"QUEUECTL_OUTPUT" placeholder:"FORMAT" help:"table, json (one document) or jsonl (a line each). Default: as suits a terminal or a pipe."`
	JSON           bool   `group:"Global flags:" name:"json" help:"Short for --output json."`
	Quiet          bool   `group:"Global flags:" short:"q" env:"QUEUECTL_QUIET" help:"Print ids only, and no hints."`
	Reason         string `group:"Global flags:" env:"QUEUECTL_REASON" empty:"" placeholder:"TEXT" help:"Why: kept in the log with whatever this command changes."`
	LogLevel       string `group:"Global flags:" env:"QUEUECTL_LOG_LEVEL" default:"info" placeholder:"LEVEL" help:"What workers log to stderr: debug, info, warn or error."`
	LogFormat      string `group:"Global flags:" env:"QUEUECTL_LOG_FORMAT" placeholder:"FORMAT" help:"text or json. Default: text on a terminal, otherwise json."`
	NoColor        bool   `group:"Global flags:" env:"QUEUECTL_NO_COLOR" help:"No colours. NO_COLOR does the same."`
	AllowNetworkFS bool   `group:"Global flags:" name:"allow-network-fs" env:"QUEUECTL_ALLOW_NETWORK_FS" help:"Use a directory on a network file system, whose locks may not hold."`
}

// errHelp says that help was asked for and has been printed.
var errHelp = errors.New("help was printed")

// helpFlag prints the help of the command it stands behind. It takes the place of kong's own flag, which
// would end the process.
type helpFlag bool

// BeforeReset is called by kong when the flag was given, before anything is checked.
func (helpFlag) BeforeReset(ctx *kong.Context) error {
	if err := ctx.PrintUsage(false); err != nil {
		return err
	}
	return errHelp
}

const description = `A job queue in one binary and one directory.

Jobs are shell commands that workers run in the background, keep over reboots, retry with growing delays
and park in the dead letter queue when they will not succeed. Everything that happens is an event in a
log that is never rewritten.

Examples:

  queuectl enqueue -- make -j4 test
  queuectl worker start --count 2
  queuectl status`

// newParser builds the parser for g, a grammar or some of its commands. Help goes to stdout, in lines that fit a narrow terminal; of a wide one
// kong is not told.
func newParser(g any, s *session) (*kong.Kong, error) {
	width := 100
	if s.out.width > 0 {
		width = min(width, s.out.width)
	}
	return kong.New(g,
		kong.Name("queuectl"),
		kong.Description(description),
		kong.NoDefaultHelp(),
		kong.WithHyphenPrefixedParameters(true), // --priority -5
		flagValues(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: width, FlagsLast: true}),
		kong.Writers(s.out, s.stderr),
		kong.Bind(s),
	)
}

// execute parses the arguments and runs the command that they name.
func (s *session) execute(ctx context.Context, args []string) error {
	command, err := s.parse(args)
	if errors.Is(err, errHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if s.reason != "" {
		ctx = queue.Because(ctx, s.reason)
	}
	command.BindTo(ctx, (*context.Context)(nil))
	return command.Run()
}

// parse returns the command that the arguments name, and takes over the global flags. It touches nothing else. The
// error is errHelp if there is nothing left to do.
func (s *session) parse(args []string) (*kong.Context, error) {
	s.machineErrors = wantsJSON(args)
	if len(args) == 0 {
		if _, err := s.parseWith(&grammar{}, []string{"--help"}); !errors.Is(err, errHelp) {
			return nil, err
		}
		return nil, exitCode(1)
	}
	switch args[0] {
	case "help":
		args = append([]string{"--help"}, args[1:]...) // and not behind a --
	case "--version":
		args = []string{"version"}
	}
	args, s.argv = cutCommandLine(args)
	if some := someOfGrammar(args); some != nil {
		if command, err := s.parseWith(some, args); err == nil {
			return command, nil
		}
	}
	return s.parseWith(&grammar{}, args)
}

// someOfGrammar returns the grammar without the commands whose names are not among the arguments, since to build all of it
// takes as long as to start the program. It is nil if help may be asked for, or no command. What is wrong with the arguments,
// only the whole grammar can tell.
func someOfGrammar(args []string) any {
	var fields []reflect.StructField
	for field := range reflect.TypeFor[grammar]().Fields() {
		_, command := field.Tag.Lookup("cmd")
		named := func(arg string) bool { return strings.EqualFold(strings.ReplaceAll(arg, "-", ""), field.Name) }
		if !command || slices.ContainsFunc(args, named) {
			fields = append(fields, field)
		}
	}
	const always = 2
	if len(fields) == always || slices.ContainsFunc(args, asksForHelp) {
		return nil
	}
	return reflect.New(reflect.StructOf(fields)).Interface()
}

// asksForHelp says that an argument may be -h, alone or among other short flags, or --help.
func asksForHelp(arg string) bool {
	return strings.HasPrefix(arg, "--help") || strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && strings.Contains(arg, "h")
}

// parseWith is parse with a grammar, or some of it.
func (s *session) parseWith(g any, args []string) (*kong.Context, error) {
	parser, err := newParser(g, s)
	if err != nil {
		panic("cmd: the grammar is wrong: " + err.Error())
	}
	forgetEmpty(parser.Model.Flags)
	command, err := parser.Parse(args)
	if errors.Is(err, errHelp) {
		return nil, err
	}
	name := commandName(command, err)
	if err != nil {
		err = usageError(err, name, s.argv != nil)
	} else if err = checkText(args, parser.Model.Flags); err == nil {
		err = s.configure(reflect.ValueOf(g).Elem().FieldByName("Globals").Interface().(globals))
	}
	if err != nil && waits(name, args) {
		err = cannotWait(err)
	}
	return command, err
}

// cutCommandLine cuts off what follows the first "--" of an enqueue or a cron add: it is the job's own command
// line, of which kong must see nothing. It is not nil if there was a "--".
func cutCommandLine(args []string) (own, argv []string) {
	i := slices.Index(args, "--")
	if i < 0 || !slices.Contains(args[:i], "enqueue") && !slices.Contains(args[:i], "cron") {
		return args, nil
	}
	return args[:i], append([]string{}, args[i+1:]...)
}

// commandName is the command that was asked for, with the program's name in front, as far as kong came.
func commandName(parsed *kong.Context, err error) string {
	if parse, ok := errors.AsType[*kong.ParseError](err); ok {
		parsed = parse.Context
	}
	if parsed == nil || parsed.Selected() == nil {
		return "queuectl"
	}
	return parsed.Selected().FullPath()
}

// waits says that the exit code of a command line is a job's.
func waits(command string, args []string) bool {
	return command == "queuectl wait" ||
		command == "queuectl enqueue" && (slices.Contains(args, "--wait") || slices.Contains(args, "-w"))
}

var (
	negativeFlag = regexp.MustCompile(`^unknown flag -[0-9]`)
	signalFlag   = regexp.MustCompile(`^unknown flag -[0-9A-Z]`)
)

// usageError turns what kong says of the arguments into a failure that names the help to read. Who
// forgets the -- before a command line, or thinks of kill(1), is told of it.
func usageError(err error, command string, dashes bool) error {
	message, hint := err.Error(), fmt.Sprintf("'%s --help' has examples", command)
	switch {
	case command == "queuectl enqueue" && !dashes:
		hint = "a command line goes behind --, as in 'queuectl enqueue -- make -j4'; " + hint
	case command == "queuectl kill" && signalFlag.MatchString(message):
		hint = "a signal is named with --signal, as in 'queuectl kill --signal KILL job1'"
	case negativeFlag.MatchString(message):
		message = negativeFlag.FindString(message) + ": nothing here may be negative"
	}
	return usage(message, hint)
}
