package shell

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Exit codes of commands that could not be started, as shells have them.
const (
	notExecutable = 126
	notFound      = 127
)

// fault is an error that is the command's.
type fault struct {
	exit int
	err  error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// faultOf returns nil if the error is not the command's.
func faultOf(err error) *fault {
	var f *fault
	errors.As(err, &f)
	return f
}

// start starts the first process, with out for its output; nil = the null device.
func start(c *Command, out *os.File) (*child, error) {
	env := lastOfEach(c.Env)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open null device: %w", err)
	}
	defer null.Close() // keeps nothing
	stdin := null
	if c.Stdin != "" {
		if stdin, err = openStdin(c); err != nil {
			return nil, err
		}
		defer stdin.Close() // the child has its own
	}
	if out == nil {
		out = null
	}
	s := spawn{dir: c.Dir, env: env, line: c.Line, argv: c.Argv, stdin: stdin, out: out, lease: c.Lease}
	if c.Line == "" {
		if s.path, err = program(c, env); err != nil {
			return nil, err
		}
	}
	ch, err := s.start()
	if err == nil {
		return ch, nil
	}
	if err := unusableDir(c.Dir); err != nil {
		return nil, &fault{notExecutable, err}
	}
	if exit := exitOf(err, c.Line != ""); exit != 0 {
		name := "command"
		if c.Line == "" {
			name = c.Argv[0]
		}
		return nil, &fault{exit, fmt.Errorf("%s: %w", name, err)}
	}
	return nil, fmt.Errorf("start command: %w", err)
}

// spawn is what the system is asked to start.
type spawn struct {
	path       string // of the program; "" = the shell
	line       string
	argv       []string
	dir        string
	env        []string
	stdin, out *os.File
	lease      *os.File // nil = none
}

// unusableDir says what is wrong with the directory of a command that could not be started.
func unusableDir(dir string) error {
	if dir == "" {
		return nil
	}
	_, err := os.Stat(dir + string(filepath.Separator) + ".") // what is needed is the right to search it, not to read
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || notADirectory(err) {
		return fmt.Errorf("directory %s: %w", dir, errors.Unwrap(err))
	}
	return nil // or something that the machine is to blame for
}

// program finds the file to execute: by PATH of the command's environment, not ours.
func program(c *Command, env []string) (string, error) {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return "", &fault{notFound, errors.New("no program")}
	}
	name := c.Argv[0]
	from := c.Dir
	if from == "" {
		from = "."
	}
	at := func(path string) string { // relative paths are the command's
		if filepath.IsAbs(path) {
			return path
		}
		return from + string(filepath.Separator) + path
	}
	if strings.ContainsRune(name, filepath.Separator) || strings.Contains(name, "/") {
		if runtime.GOOS == "windows" {
			return look(at(name)) // to add .exe
		}
		return at(name), nil
	}
	found := error(&fault{notFound, fmt.Errorf("%s: no such program", name)})
	for _, dir := range filepath.SplitList(pathOf(env)) {
		path, err := look(at(filepath.Join(dir, name)))
		if err == nil {
			return path, nil
		}
		if f := faultOf(err); f != nil && f.exit == notExecutable {
			found = err // perhaps another directory has one that can be executed
		}
	}
	return "", found
}

// look completes the path of a program, if it can be executed.
func look(path string) (string, error) {
	found, err := exec.LookPath(path)
	switch {
	case err == nil:
		return found, nil
	case errors.Is(err, fs.ErrPermission) && exists(path):
		return "", &fault{notExecutable, fmt.Errorf("%s: permission denied", path)}
	}
	return "", &fault{notFound, fmt.Errorf("%s: no such program", path)}
}

// exists is false, too, if path is in a directory of PATH that we may not look into: then nothing is known to be there.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func pathOf(env []string) string {
	for _, v := range env {
		if name, value, ok := strings.Cut(v, "="); ok && variable(name) == "PATH" {
			return value
		}
	}
	return defaultPath
}

// lastOfEach returns env with one entry, the last, for each name. Programs disagree on which of several holds, and the
// marks of a run have to be unmistakable.
func lastOfEach(env []string) []string {
	seen := make(map[string]bool, len(env))
	out := make([]string, 0, len(env))
	for _, v := range slices.Backward(env) {
		name, _, _ := strings.Cut(v, "=")
		if name = variable(name); name != "" && seen[name] {
			continue
		}
		seen[name] = true
		out = append(out, v)
	}
	slices.Reverse(out)
	return out
}

// variable is the name by which the system knows an environment variable.
func variable(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}
