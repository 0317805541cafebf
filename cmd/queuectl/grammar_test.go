package main

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestHelp_EveryCommandHasAnExample holds for every command that one can type, and the example must be a
// line that the grammar accepts the beginning of.
func TestHelp_EveryCommandHasAnExample(t *testing.T) {
	t.Parallel()
	for _, node := range leaves(t) {
		t.Run(node.FullPath(), func(t *testing.T) {
			t.Parallel()
			if node.Help == "" || !strings.HasSuffix(node.Help, ".") {
				t.Errorf("summary %q is not a sentence", node.Help)
			}
			_, examples, found := strings.Cut(node.Detail, "Examples:\n")
			if !found || !strings.Contains(examples, "\n  "+node.FullPath()) {
				t.Errorf("no example of %q in:\n%s", node.FullPath(), node.Detail)
			}
			for line := range strings.Lines(node.Detail) {
				if width := len([]rune(strings.TrimRight(line, "\n"))); width > 104 {
					t.Errorf("line of %d columns: %s", width, line)
				}
			}
		})
	}
}

func TestHelp_EveryFlagIsExplained(t *testing.T) {
	t.Parallel()
	for _, node := range leaves(t) {
		for _, group := range node.AllFlags(false) {
			for _, flag := range group {
				if !strings.HasSuffix(flag.Help, ".") {
					t.Errorf("%s --%s: help %q is not a sentence", node.FullPath(), flag.Name, flag.Help)
				}
			}
		}
		for _, arg := range node.Positional {
			if !strings.HasSuffix(arg.Help, ".") {
				t.Errorf("%s <%s>: help %q is not a sentence", node.FullPath(), arg.Name, arg.Help)
			}
		}
	}
}

// TestGrammar_OnlyGlobalFlagsReadTheEnvironment: a job's own QUEUECTL_QUEUE must not steer a nested
// enqueue.
func TestGrammar_OnlyGlobalFlagsReadTheEnvironment(t *testing.T) {
	t.Parallel()
	for _, node := range leaves(t) {
		for _, flag := range node.Flags {
			if len(flag.Envs) > 0 {
				t.Errorf("%s --%s reads %v", node.FullPath(), flag.Name, flag.Envs)
			}
		}
	}
}

func leaves(t *testing.T) []*kong.Node {
	t.Helper()
	parser, err := newParser(&grammar{}, newSession(os.Stdin, os.Stdout, os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model.Leaves(false)
}

func TestWantsJSON_IsSeenBeforeParsing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args string
		want bool
	}{
		{"list", false},
		{"list -o json", true},
		{"list -ojson", true},
		{"list -o=json", true},
		{"list --output jsonl", true},
		{"list --output=json", true},
		{"--json list", true},
		{"list -o table", false},
		{"list --json -o table", false},
		{"enqueue -- list -o json", false},
		{"list -o", false},
	} {
		if got := wantsJSON(strings.Fields(test.args)); got != test.want {
			t.Errorf("%s: got %v, want %v", test.args, got, test.want)
		}
	}
}

// TestSomeOfGrammar_ParsesAsTheWhole: the help of each command is the same, whether kong knows of the others or not.
func TestSomeOfGrammar_ParsesAsTheWhole(t *testing.T) {
	t.Parallel()
	help := func(g any, args []string) string {
		out, err := os.CreateTemp(t.TempDir(), "out")
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		s := newSession(os.Stdin, out, out)
		if _, err := s.parseWith(g, append(args, "--help")); !errors.Is(err, errHelp) {
			t.Fatalf("%v: %v", args, err)
		}
		if err := s.out.Flush(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, node := range leaves(t) {
		args := strings.Fields(node.FullPath())[1:]
		some := someOfGrammar(args)
		if some == nil {
			t.Fatalf("%v: its name is not found", args)
		}
		if n := reflect.ValueOf(some).Elem().NumField(); n > 2+len(args) {
			t.Errorf("%v: a grammar of %d fields", args, n)
		}
		if got, want := help(some, args), help(&grammar{}, args); got != want || !strings.Contains(got, node.Help) {
			t.Errorf("%v: got %s, want %s", args, got, want)
		}
	}
	for _, args := range []string{"", "enqueu", "-o json", "list -h", "list --help", "-qh list"} {
		if someOfGrammar(strings.Fields(args)) != nil {
			t.Errorf("%s: not parsed with the whole grammar", args)
		}
	}
}
