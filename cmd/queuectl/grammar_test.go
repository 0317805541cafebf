package main

import (
	"os"
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
