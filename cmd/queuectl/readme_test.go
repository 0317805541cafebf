package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

const readme = "../../README.md"

// TestTranscripts_AreTrue types what the pages show and compares what it gets.
func TestTranscripts_AreTrue(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs a POSIX shell")
	}
	for page, commands := range map[string]int{
		readme: 5, docs + "/guides/what-happened-to-my-job.md": 10, docs + "/guides/what-if.md": 4,
		docs + "/guides/retries.md":        6,
		docs + "/guides/cron.md":           8,
		docs + "/guides/backup.md":         5,
		docs + "/guides/once.md":           11,
		docs + "/guides/acting-on-jobs.md": 17,
		docs + "/guides/queues.md":         16,
		docs + "/guides/dependencies.md":   14,
		docs + "/guides/secrets.md":        10,

		docs + "/guides/checking-a-machine.md": 4,

		docs + "/guides/waiting-and-hooks.md": 14,
	} {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			if ran := typeTranscript(t, page); ran < commands {
				t.Errorf("it shows %d commands only: this test does not see them", ran)
			}
		})
	}
}

// typeTranscript runs the commands of a page, in order and in one directory. It returns their number.
func typeTranscript(t *testing.T, page string) (ran int) {
	t.Helper()
	dir := t.TempDir()
	for _, block := range fenced(t, page, "console") {
		for command := range strings.SplitSeq("\n"+block, "\n$ ") {
			if command == "" {
				continue
			}
			line, want, _ := strings.Cut(command, "\n")
			cmd := exec.Command("sh", "-c", line)
			cmd.Dir = dir
			// As if a person at a terminal had typed it.
			cmd.Env = append(os.Environ(), "QUEUECTL_DIR="+filepath.Join(dir, "q"), "QUEUECTL_OUTPUT=table", "NO_COLOR=1")
			output, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", line, err, output)
			}
			if got, want := settled(string(output)), settled(want); got != want {
				t.Errorf("$ %s\ngot:\n%s\nwant:\n%s", line, got, want)
			}
			ran++
		}
	}
	return ran
}

// What differs from run to run, and what it is replaced by.
var unsettled = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}`), "TIME"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`), "TIME"},
	{regexp.MustCompile(`\S+@\S+ \d+(,?) ?`), "WHO$1 "},
	{regexp.MustCompile(`\b[0-9A-Z]{16}( pid \d+)?`), "WORKER"},
	{regexp.MustCompile(`Directory: .*`), "Directory"},
	{regexp.MustCompile(`no queue in .*`), "no queue"},
	{regexp.MustCompile(`Restored to .*`), "Restored"},
	{regexp.MustCompile(`after \d+(\.\d+)?(ns|µs|ms|s)\b`), "after SPAN"},
	{regexp.MustCompile(`(attempt \d+ [a-z]+) +\d\S*s +\d\S*s `), "$1 WAITED TOOK "},
	{regexp.MustCompile(`\b\d{8}T\d{6}Z\b`), "TICK"},
	{regexp.MustCompile(`\b(now|\d+[smh] ago|in \d+[smhd])\b`), "AGO"},
	{regexp.MustCompile(`for job "[0-9a-z]{7}"`), "for job ID"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "HASH"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "LOG"},
	{regexp.MustCompile(`\d+(\.\d+)? (KiB|B)\b`), "SIZE"},
	{regexp.MustCompile(`(?m)  (=|new|[+-]\d+\.\d %)$`), " CHANGE"},
	{regexp.MustCompile(`\b\d+\.\d %`), "PART"},
	{regexp.MustCompile(`(?m)^slots .*`), "slots"},
	{regexp.MustCompile(`\b\d+(\.\d+)?(e\+\d+)?/s`), "RATE"},
	{regexp.MustCompile(`(?m) (\d+m)?\d+(\.\d+)?(ns|µs|ms|s)(\s)`), " SPAN$4"},
	{regexp.MustCompile(`[ \t]+`), " "}, // columns are as wide as their contents
}

func settled(output string) string {
	for _, u := range unsettled {
		output = u.pattern.ReplaceAllString(output, u.with)
	}
	return strings.TrimSpace(output)
}

// TestReadme_QuotesTheCode finds each line of Go in the file that it is said to be from: a question of
// the README is answered by lines that are there.
func TestReadme_QuotesTheCode(t *testing.T) {
	t.Parallel()
	quotes := fenced(t, readme, "go")
	if len(quotes) == 0 {
		t.Error("the README quotes no code: this test does not see it")
	}
	for _, quote := range quotes {
		comment, code, _ := strings.Cut(quote, "\n")
		path := strings.TrimPrefix(comment, "// ")
		source, err := os.ReadFile(filepath.Join("../..", filepath.FromSlash(path)))
		if err != nil {
			t.Errorf("the README quotes %q: %v", path, err)
			continue
		}
		have := strings.Split(unixLines(source), "\n")
		next := 0
		for line := range strings.SplitSeq(strings.TrimRight(code, "\n"), "\n") {
			for next < len(have) && have[next] != line {
				next++
			}
			if next == len(have) {
				t.Errorf("%s has no line %q, at least not in that order", path, line)
				break
			}
		}
	}
}

// fenced returns the contents of a Markdown file's code blocks in the language.
func fenced(t *testing.T, path, language string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(unixLines(text), -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// markdownFiles returns every page of the project.
func markdownFiles(t *testing.T) (paths []string) {
	t.Helper()
	paths, err := filepath.Glob("../../*.md")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(docs, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

var (
	mdLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	mdHeading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notAnchor = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// TestDocs_LinksLeadSomewhere follows every link inside of the project, to the heading if there is one.
func TestDocs_LinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for _, page := range markdownFiles(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mdLink.FindAllSubmatch(text, -1) {
			link := string(m[1])
			if strings.Contains(link, "://") {
				continue
			}
			path, anchor, _ := strings.Cut(link, "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), filepath.FromSlash(path))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", page, link)
				continue
			}
			if anchor != "" && !hasAnchor(t, target, anchor) {
				t.Errorf("%s links to %s, and there is no such heading", page, link)
			}
		}
	}
}

// hasAnchor says whether a heading of the page has the anchor that GitHub makes for it.
func hasAnchor(t *testing.T, page, anchor string) bool {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mdHeading.FindAllStringSubmatch(unixLines(text), -1) {
		if strings.ReplaceAll(notAnchor.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}

// TestDocs_ProgramsCompile has go vet look at every whole Go program in the documentation.
func TestDocs_ProgramsCompile(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command")
	}
	programs := 0
	for _, page := range markdownFiles(t) {
		for _, code := range fenced(t, page, "go") {
			if !strings.HasPrefix(code, "package main") {
				continue
			}
			programs++
			file := filepath.Join(t.TempDir(), "main.go")
			if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
				t.Fatal(err)
			}
			if output, err := exec.Command("go", "vet", file).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", page, err, bytes.TrimSpace(output))
			}
		}
	}
	if programs == 0 {
		t.Error("there is no program in the documentation: this test does not see it")
	}
}
