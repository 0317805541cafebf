package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/queuectl/queuectl/job"
)

var update = flag.Bool("update", false, "rewrite docs/reference/cli.md from the grammar")

const docs = "../../docs"

// TestReference_IsTheGrammar holds docs/reference/cli.md to the commands and flags that there are.
func TestReference_IsTheGrammar(t *testing.T) {
	t.Parallel()
	path := filepath.Join(docs, "reference", "cli.md")
	want := reference(t)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if line, differs := firstDifference(unixLines(got), want); differs {
		t.Errorf("docs/reference/cli.md is not what --help says, from line %d on: run  go test ./cmd/queuectl -run Reference -update", line)
	}
}

// firstDifference returns the number of the first line in which two texts differ.
func firstDifference(a, b string) (line int, differs bool) {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range max(len(as), len(bs)) {
		if i >= len(as) || i >= len(bs) || as[i] != bs[i] {
			return i + 1, true
		}
	}
	return 0, false
}

// unixLines undoes what git may do to line ends on Windows.
func unixLines(text []byte) string { return strings.ReplaceAll(string(text), "\r\n", "\n") }

// reference is the page about all commands.
func reference(t *testing.T) string {
	t.Helper()
	parser, err := newParser(&grammar{}, newSession(os.Stdin, os.Stdout, os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(`# Commands and flags

This page is made from the same source as ` + "`queuectl --help`" + `, by ` + "`go test ./cmd/queuectl -run Reference -update`" + `.

`)
	commands := parser.Model.Leaves(true)
	for _, c := range commands {
		name := strings.TrimPrefix(c.FullPath(), "queuectl ")
		fmt.Fprintf(&b, "- [%s](#%s): %s\n", name, strings.ReplaceAll("queuectl "+name, " ", "-"), decapitalised(c.Help))
	}
	b.WriteString("\n## Global flags\n\nEvery command has these.\n\n")
	writeFlags(&b, parser.Model.Flags)
	for _, c := range commands {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n```text\n%s\n```\n\n%s\n", c.FullPath(), c.Help, usageLine(c), markdown(c.Detail))
		if len(c.Positional) > 0 {
			b.WriteString("\n| argument | |\n|---|---|\n")
			for _, p := range c.Positional {
				fmt.Fprintf(&b, "| `%s` | %s |\n", p.Name, cellText(p.Help))
			}
		}
		if flags := ownFlags(c); len(flags) > 0 {
			b.WriteString("\n")
			writeFlags(&b, flags)
		}
	}
	return b.String()
}

// usageLine is the command as it is typed. What follows a -- is not in the grammar.
func usageLine(c *kong.Node) string {
	line := c.FullPath()
	for _, p := range c.Positional {
		line += " " + p.Summary()
	}
	if len(ownFlags(c)) > 0 {
		line += " [flags]"
	}
	if c.Name == "enqueue" || c.FullPath() == "queuectl cron add" {
		line += " [-- COMMAND ARG ...]"
	}
	return line
}

func ownFlags(c *kong.Node) (flags []*kong.Flag) {
	for _, f := range c.Flags {
		if !f.Hidden {
			flags = append(flags, f)
		}
	}
	return flags
}

func writeFlags(b *strings.Builder, flags []*kong.Flag) {
	b.WriteString("| flag | |\n|---|---|\n")
	for _, f := range flags {
		name := "--" + f.Name
		if f.Short != 0 {
			name = fmt.Sprintf("-%c, %s", f.Short, name)
		}
		if !f.IsBool() {
			name += "=" + f.FormatPlaceHolder()
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", strings.ReplaceAll(name, "|", `\|`), cellText(f.Help))
	}
}

func cellText(help string) string { return strings.ReplaceAll(help, "|", `\|`) }

func decapitalised(sentence string) string {
	return strings.ToLower(sentence[:1]) + strings.TrimSuffix(sentence[1:], ".")
}

// markdown turns the help text below a usage line into Markdown: what is indented is an example.
func markdown(detail string) string {
	var b strings.Builder
	fenced := false
	for line := range strings.SplitSeq(strings.TrimSpace(detail), "\n") {
		code := strings.HasPrefix(line, "  ")
		switch {
		case code && !fenced:
			b.WriteString("```sh\n")
		case !code && fenced:
			b.WriteString("```\n")
		}
		fenced = code
		b.WriteString(strings.TrimPrefix(line, "  ") + "\n")
	}
	if fenced {
		b.WriteString("```\n")
	}
	return strings.TrimSpace(b.String())
}

// page returns a page of the reference.
func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, "reference", name))
	if err != nil {
		t.Fatal(err)
	}
	return unixLines(text)
}

func TestReference_NamesEverySettingAndItsDefault(t *testing.T) {
	t.Parallel()
	text, defaults := page(t, "config.md"), job.DefaultConfig()
	for _, key := range job.Keys() {
		value, err := defaults.Text(key)
		if err != nil {
			t.Fatal(err)
		}
		if row := fmt.Sprintf("| `%s` | `%s` |", key, value); !strings.Contains(text, row) {
			t.Errorf("docs/reference/config.md has no row that begins with %s", row)
		}
	}
}

func TestReference_NamesEveryEvent(t *testing.T) {
	t.Parallel()
	text := page(t, "events.md")
	found := 0
	for k := range job.Kind(256) {
		if strings.HasPrefix(k.String(), "Kind(") {
			continue
		}
		found++
		if row := fmt.Sprintf("| `%s` | %d |", k, k); !strings.Contains(text, row) {
			t.Errorf("docs/reference/events.md has no row that begins with %s", row)
		}
	}
	if rows := strings.Count(text, "\n| `"); rows != found {
		t.Errorf("docs/reference/events.md has %d events, and there are %d", rows, found)
	}
}

func TestReference_NamesEveryFieldOfASpec(t *testing.T) {
	t.Parallel()
	text := page(t, "job-spec.md")
	fields := map[string]bool{"argv": true, "created_at": true, "extra": true}
	rename := map[string]string{"tag": "tags", "at": "run_at"}
	parser, err := newParser(&grammar{}, newSession(os.Stdin, os.Stdout, os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range parser.Model.Leaves(true) {
		for _, f := range c.Flags {
			if c.Name == "enqueue" && f.Group != nil && f.Group.Title == "The job:" {
				name := strings.ReplaceAll(f.Name, "-", "_")
				if rename[name] != "" {
					name = rename[name]
				}
				fields[name] = true
			}
		}
	}
	if len(fields) < 10 {
		t.Fatalf("only the fields %v were found: this test does not see the flags", fields)
	}
	for name := range fields {
		if !strings.Contains(text, "| `"+name+"` |") {
			t.Errorf("docs/reference/job-spec.md has no row for %s", name)
		}
	}
}

func TestReference_NamesEveryVariable(t *testing.T) {
	t.Parallel()
	text := page(t, "environment.md")
	parser, err := newParser(&grammar{}, newSession(os.Stdin, os.Stdout, os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range parser.Model.Flags {
		for _, name := range f.Envs {
			if row := fmt.Sprintf("| `%s` | `--%s` |", name, f.Name); !strings.Contains(text, row) {
				t.Errorf("docs/reference/environment.md has no row that begins with %s", row)
			}
		}
	}
}

// TestReference_NamesEveryErrorCode looks for the codes in the source, where they are constants.
func TestReference_NamesEveryErrorCode(t *testing.T) {
	t.Parallel()
	text := page(t, "exit-codes.md")
	codes := map[string]bool{}
	for _, c := range causes {
		codes[c.code] = true
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		code, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`code(?::|\s*=) "([a-z_]+)"`).FindAllSubmatch(code, -1) {
			codes[string(m[1])] = true
		}
	}
	for code := range codes {
		if !strings.Contains(text, "`"+code+"`") {
			t.Errorf("docs/reference/exit-codes.md does not explain %s", code)
		}
	}
}
