// Package planted breaks the program on purpose, one defect at a time, and requires that a test
// notices: a promise that can be broken without a test that fails is a promise that nobody keeps.
// It holds no code.
//
// The tree is left alone. The go command builds the test of a defect with an overlay, in which one
// file is exchanged; all that the defect does not reach comes from the build cache.
package planted

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/queuectl/queuectl/internal/effort"
	"github.com/queuectl/queuectl/internal/process"
)

var (
	which = flag.String("plants", "", "all, how many, or how the names of the defects begin that are planted; if not given, a few")
	skip  = flag.Int("plants.skip", 0, "of a number of defects, leave out so many before")
)

// plant is a defect, and the test that has to notice it.
type plant struct {
	name  string // what goes wrong
	edits []edit
	pkg   string // directory of the test's package
	test  string
	also  string // package and name of a test of another layer that notices it as well; "" = none is known
	often bool   // planted in every run
	only  string // the one system that has the code and the test; "" = all

	repeated bool // it was planted for another test already, and is not counted
}

// edit is one line that is changed. What stands before and after it is there to find it by.
type edit struct {
	file     string
	old, new string // old is in the file once
}

func TestPlants_AreNoticed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command")
	}
	g := ground{goCommand: goCommand, root: root(t), document: readDocument(t)}
	g.lookAtEveryFile(t)
	t.Cleanup(func() { g.document.save(t) })
	chosen := byPackage()
	if len(chosen) == 0 && *skip == 0 {
		t.Fatalf("-plants %s is neither all, nor a number, nor how a plant's name begins", *which)
	}
	for pkg, plants := range chosen {
		t.Run(pkg, func(t *testing.T) {
			t.Parallel()
			sound, _ := g.build(t, pkg, nil)
			for _, p := range plants {
				t.Run(strings.ReplaceAll(p.name, " ", "_"), func(t *testing.T) {
					t.Parallel()
					p.isNoticed(t, g, sound)
					if second, known := p.second(); known && *which != "" {
						t.Run("as_well", func(t *testing.T) {
							sound, _ := g.build(t, second.pkg, nil)
							second.isNoticed(t, g, sound)
						})
					}
				})
			}
		})
	}
}

// byPackage groups the plants of this run by the package of their test.
func byPackage() map[string][]plant {
	groups := map[string][]plant{}
	count, err := strconv.Atoi(*which)
	for i, p := range plants {
		named := *which != "" && strings.HasPrefix(p.name, *which)
		counted := err == nil && i >= *skip && i < *skip+count
		if p.often && *which == "" || *which == "all" || named || counted {
			groups[p.pkg] = append(groups[p.pkg], p)
		}
	}
	return groups
}

// second returns the plant with the other test that notices it.
func (p *plant) second() (q plant, known bool) {
	q = *p
	q.pkg, q.test, known = strings.Cut(p.also, " ")
	q.repeated = true
	return q, known
}

// isNoticed fails unless the plant's test passes in the sound program and fails in the one with the
// defect.
func (p *plant) isNoticed(t *testing.T, g ground, sound string) {
	if p.only != "" && p.only != runtime.GOOS {
		t.Skipf("needs %s", p.only)
	}
	output, err := g.run(t, p, sound)
	switch {
	case err != nil:
		t.Fatalf("%s fails without the plant, so it would notice nothing: %v\n%s", p.test, err, output)
	case !strings.Contains(output, "--- PASS: "+p.test+" "):
		reason := regexp.MustCompile(`(?m)^ +\S+_test\.go:\d+: (needs .*)`).FindStringSubmatch(output)
		if reason == nil {
			t.Fatalf("%s did not run:\n%s", p.test, output)
		}
		t.Skip(reason[1])
	}
	broken, built := g.build(t, p.pkg, p)
	if !p.repeated {
		effort.Report(t, map[string]int{"plants": 1})
	}
	began := time.Now()
	_, err = g.run(t, p, broken)
	switch exit := new(exec.ExitError); {
	case err == nil:
		t.Errorf("%s passes although %s:\n%sreplay: go test ./internal/planted -v -plants %q", p.test, p.name, p.diff(), p.name)
	case !errors.As(err, &exit):
		t.Fatalf("run %s: %v", p.test, err)
	default:
		took := built + time.Since(began)
		if !p.repeated {
			g.document.time(p, took)
		}
		effort.Note(t, "%s: noticed by %s of %s (%s) in %.1f s, %.1f of them to build it",
			p.name, p.test, p.pkg, g.document.layer(p), took.Seconds(), built.Seconds())
	}
}

// changes returns what the files that the plant changes are then, by their paths.
func (p *plant) changes(root string) (files map[string]string, err error) {
	files = map[string]string{}
	for _, e := range p.edits {
		path := filepath.Join(root, filepath.FromSlash(e.file))
		text, changed := files[path]
		if !changed {
			original, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("%w: adapt the plant", err)
			}
			text = string(original)
		}
		if n := strings.Count(text, e.old); n != 1 || e.old == e.new {
			return nil, fmt.Errorf("%q is in %s %d times, want once: adapt the plant", e.old, e.file, n)
		}
		files[path] = strings.Replace(text, e.old, e.new, 1)
	}
	return files, nil
}

// diff shows the plant.
func (p *plant) diff() string {
	var b strings.Builder
	for _, e := range p.edits {
		fmt.Fprintln(&b, e.file)
		fmt.Fprintln(&b, "-"+strings.ReplaceAll(e.old, "\n", "\n-"))
		fmt.Fprintln(&b, "+"+strings.ReplaceAll(e.new, "\n", "\n+"))
	}
	return b.String()
}

// ground is where plants grow.
type ground struct {
	goCommand string
	root      string // of the module
	document  *document
}

func root(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// lookAtEveryFile makes the result of this test depend on the whole tree. The go command keeps
// results as long as the files are the same that a test has looked at; those that the builds below
// look at it does not know of.
func (g ground) lookAtEveryFile(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(g.root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == ".git" {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// build compiles the tests of a package with a plant, or with none, and returns the program and the processor time that
// took. A plant that does not compile is no plant.
func (g ground) build(t *testing.T, pkg string, p *plant) (program string, took time.Duration) {
	t.Helper()
	dir := t.TempDir()
	program = filepath.Join(dir, "planted.test.exe") // Windows asks for the suffix, nobody else minds
	args := []string{"test", "-c", "-o", program}
	if p != nil {
		args = append(args, "-overlay", g.overlay(t, dir, p))
	}
	cmd := exec.CommandContext(t.Context(), g.goCommand, append(args, "./"+pkg)...)
	cmd.Dir = g.root
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the tests of %s: %v\n%s", pkg, err, output)
	}
	return program, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// overlay writes the files that a plant changes, and the one that tells the go command of them.
func (g ground) overlay(t *testing.T, dir string, p *plant) (path string) {
	t.Helper()
	changed, err := p.changes(g.root)
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	for original, text := range changed {
		replace[original] = filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(replace[original], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs the plant's test in a directory that has nothing but the package's testdata, so that
// whatever a broken program does is done there.
func (g ground) run(t *testing.T, p *plant, program string) (output string, err error) {
	t.Helper()
	dir := t.TempDir()
	testdata := filepath.Join(g.root, filepath.FromSlash(p.pkg), "testdata")
	if _, err := os.Stat(testdata); err == nil {
		if err := os.CopyFS(filepath.Join(dir, "testdata"), os.DirFS(testdata)); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(filepath.Join(dir, "log")) // no pipe: what a broken program leaves behind would keep it open
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // read below
	mark := "QUEUECTL_PLANTED=" + dir
	t.Cleanup(func() {
		left, _ := process.Marked(mark) // if that cannot be told they end some day by themselves
		for _, id := range left {
			_ = id.Signal(syscall.SIGKILL) // it may have ended
		}
	})
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^"+p.test+"$", "-test.v", "-test.timeout=5m")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append(os.Environ(), mark, "TMPDIR="+dir, "TMP="+dir)
	failure := cmd.Run()
	text, err := os.ReadFile(log.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text), failure
}

// Whoever changes a line that is planted on has to say what the plant is now.
func TestPlants_FitTheCode(t *testing.T) {
	t.Parallel()
	root, names := root(t), map[string]bool{}
	for _, p := range plants {
		if names[p.name] {
			t.Errorf("two plants are called %q", p.name)
		}
		names[p.name] = true
		if _, err := p.changes(root); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		second, known := p.second()
		for _, by := range []plant{p, second} {
			if (known || !by.repeated) && !hasTest(t, filepath.Join(root, filepath.FromSlash(by.pkg)), by.test) {
				t.Errorf("%s: %s has no %s: which test notices it now?", p.name, by.pkg, by.test)
			}
		}
	}
}

// hasTest says whether the package in dir has the test, on whatever system.
func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(t *testing.T) {") {
			return true
		}
	}
	return false
}
