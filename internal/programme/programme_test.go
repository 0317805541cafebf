package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func needGo(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command")
	}
}

// TestRun_OneRowOfTheRealProgramme: so the command cannot rot, although nobody runs the long programme for every change.
func TestRun_OneRowOfTheRealProgramme(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	needGo(t)
	t.Parallel()
	var stdout, stderr strings.Builder
	dir := filepath.Join(t.TempDir(), "found")
	if code := run(t.Context(), table, []string{"-budget", "1ns", "-rows", "upgrade", "-seed", "7", "-json", "-dir", dir}, &stdout, &stderr); code != 0 {
		t.Fatalf("it ended with %d:\n%s", code, stderr.String())
	}
	var got report
	if err := json.Unmarshal([]byte(stdout.String()), &got); err != nil {
		t.Fatalf("%v:\n%s", err, stdout.String())
	}
	if len(got.Rows) != 1 || got.Rows[0].Name != "upgrade" || got.Rows[0].Count < 5 || got.Seed != 7 || got.Rows[0].Skipped != "" {
		t.Errorf("got %+v", got)
	}
	for _, name := range []string{"report.md", "report.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 2 {
		t.Errorf("left are %q (%v), want the two reports", left, err)
	}
}

// runs runs rows of the module in testdata.
func runs(t *testing.T, budget time.Duration, rows ...row) (p *programme, r *report, log string) {
	t.Helper()
	needGo(t)
	root, err := filepath.Abs(filepath.Join("testdata", "module"))
	if err != nil {
		t.Fatal(err)
	}
	var progress strings.Builder
	p = &programme{rows: rows, root: root, dir: t.TempDir(), seed: 11, budget: budget, log: &progress, binaries: map[string]string{}}
	return p, p.run(t.Context()), progress.String()
}

func things(test string) row {
	return row{
		name: "many things", figure: "things", usual: "1", target: 1_000_000, weight: 1,
		parts: []part{{pkg: "layer", test: test, args: layer("layer", "things", 250)}},
	}
}

func TestRun_AUnitThatFailsIsKeptWithItsCommand(t *testing.T) {
	t.Parallel()
	p, r, log := runs(t, time.Hour, things("^TestThings_"))
	row := r.Rows[0]
	if len(row.Failures) != mostFailed || row.Units != 2*mostFailed || row.Count != 250*row.Units || row.Figures["others"] != 2*row.Units {
		t.Fatalf("got %+v\n%s", row, log)
	}
	f := row.Failures[0]
	const want = "go test ./layer -run '^TestThings_' -v -count 1 -timeout 30m0s -layer.things 250 -layer.seed 12"
	if f.Again != want {
		t.Errorf("again: %s\n want: %s", f.Again, want)
	}
	again, err := os.ReadFile(filepath.Join(f.Dir, "again"))
	if err != nil || string(again) != want+"\n" {
		t.Errorf("again: %s (%v)", again, err)
	}
	output, err := os.ReadFile(filepath.Join(f.Dir, "output"))
	if err != nil || !strings.Contains(string(output), "seed 12 is even (<nil>)") {
		t.Errorf("output: %s (%v)", output, err)
	}
	if evidence, err := filepath.Glob(filepath.Join(f.Dir, "tmp", "things-*", "evidence")); err != nil || len(evidence) != 1 {
		t.Errorf("kept: %q (%v)", evidence, err)
	}
	if sound, err := filepath.Glob(filepath.Join(p.dir, "many-things-*")); err != nil || len(sound) != mostFailed {
		t.Errorf("kept are %q (%v), want those that failed", sound, err)
	}
	for _, text := range []string{"\n- many things: 11 is a seed\n", "| many things | 1,500 things, 12 others | 1 | 1,000,000 | 3 | ", want, f.Dir, "seed 11, "} {
		if !strings.Contains(r.markdown(), text) {
			t.Errorf("%q is not in\n%s", text, r.markdown())
		}
	}
}

func TestRun_StopsWhenTheTimeIsOverOrTheTargetReached(t *testing.T) {
	t.Parallel()
	odd := things("^TestThings_")
	odd.parts[0].args = func(u unit) []string { return layer("layer", "things", 250)(unit{seed: 2*u.seed + 1}) }
	near := odd
	near.target = 600
	_, r, log := runs(t, 0, odd, near)
	if r.Rows[0].Units != 1 || r.Rows[1].Units != 1 || r.failures() > 0 {
		t.Errorf("without time: %+v\n%s", r.Rows, log)
	}
	_, r, log = runs(t, time.Hour, near)
	if r.Rows[0].Units != 3 || r.Rows[0].Count != 750 || r.failures() > 0 {
		t.Errorf("up to the target of 600: %+v\n%s", r.Rows, log)
	}
}

// TestRun_PicturesStay: what tests have made for people to look at outlives a unit that passed, and nothing else does.
func TestRun_PicturesStay(t *testing.T) {
	t.Parallel()
	p, r, log := runs(t, 0, things("^TestPicture_"))
	if r.failures() > 0 {
		t.Fatal(log)
	}
	var left []string
	unit := filepath.Join(p.dir, "many-things-0")
	err := filepath.WalkDir(unit, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			left = append(left, filepath.Base(path))
		}
		return err
	})
	if err != nil || !slices.Equal(left, []string{"picture"}) {
		t.Errorf("left are %q (%v), want the picture", left, err)
	}
	if tmp, err := os.Stat(filepath.Join(unit, "tmp")); err == nil {
		t.Errorf("left is %s", tmp.Name())
	}
}

func TestUnit_ThatLastsHasItsTimeAndIsNotTakenForOneThatHangs(t *testing.T) {
	t.Parallel()
	long := part{pkg: "queue", test: "^TestSoak_", long: true, args: lasting("soak")}
	const want = "go test ./queue -run '^TestSoak_' -v -count 1 -timeout 2h30m0s -soak.seconds 6840 -soak.seed 3"
	if got := long.command(unit{seed: 3, time: 2 * time.Hour}); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := long.command(unit{seed: 3}); !strings.HasSuffix(got, "-timeout 30m0s -soak.seconds 5 -soak.seed 3") {
		t.Errorf("without time: got %s", got)
	}
}

func TestRun_NothingDoneIsNoSuccess(t *testing.T) {
	t.Parallel()
	moon := things("^TestMoon_")
	moon.parts[0].args = nil
	_, r, log := runs(t, 0, things("^TestGone_"), things("^TestNothing_"), moon)
	for i, want := range []string{"no test ran", "no things were counted"} {
		if f := r.Rows[i].Failures; len(f) != 1 || f[0].Error != want {
			t.Errorf("got %+v, want %q\n%s", f, want, log)
		}
	}
	if got := r.Rows[2]; got.Skipped != "needs a full moon" || len(got.Failures) > 0 || !strings.Contains(r.markdown(), "| needs a full moon |") {
		t.Errorf("got %+v\n%s", got, r.markdown())
	}
}

func TestRun_SaysWhatIsWrongWithItsFlags(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ flag, want string }{{"-rows=codec,crush", `no row "crush"`}, {"crash", "no flag"}, {"-budget=x", "invalid value"}} {
		var stdout, stderr strings.Builder
		if code := run(t.Context(), table, []string{row.flag}, &stdout, &stderr); code != 2 || !strings.Contains(stderr.String(), row.want) {
			t.Errorf("%s: ended with %d: %s; want %q", row.flag, code, stderr.String(), row.want)
		}
	}
}

func TestFigures_OfAFuzzTargetAreItsExecutions(t *testing.T) {
	t.Parallel()
	const output = `fuzz: elapsed: 0s, gathering baseline coverage: 0/7 completed
fuzz: elapsed: 3s, execs: 1230 (411/sec), new interesting: 1 (total: 8)
fuzz: elapsed: 5s, execs: 2460 (400/sec), new interesting: 1 (total: 8)
`
	if got := (&part{fuzz: true}).figures(output)["executions"]; got != 2460 {
		t.Errorf("%d executions, want 2460", got)
	}
	if !endOfFuzzing(output+"context deadline exceeded") || endOfFuzzing("Failing input written to x\ncontext deadline exceeded") {
		t.Error("the end of the time and a failing input are not told apart")
	}
}

// TestTable_HasEveryRandomTest: a fuzz target or a property that is in no row would only ever be tried as often as in every
// run of the tests.
func TestTable_HasEveryRandomTest(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	used := map[*part]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	files, err := filepath.Glob(filepath.Join(root, "*", "*_test.go"))
	deeper, err2 := filepath.Glob(filepath.Join(root, "*", "*", "*_test.go"))
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	for _, file := range append(files, deeper...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pkg, _ := filepath.Rel(root, filepath.Dir(file)) // both are relative
		found := function.FindAllSubmatchIndex(text, -1)
		for i, at := range found {
			end := len(text)
			if i+1 < len(found) {
				end = found[i+1][0]
			}
			name, body := string(text[at[2]:at[3]]), string(text[at[0]:end])
			random := strings.HasPrefix(name, "Fuzz") || strings.Contains(body, "rapid."+"Check(")
			counts := random || strings.Contains(body, "queuetest.Check(") // which is a random test for others
			if !marks(used, filepath.ToSlash(pkg), name, counts) && random {
				t.Errorf("%s of %s is in no row", name, pkg)
			}
		}
	}
	for i := range table {
		for j := range table[i].parts {
			if p := &table[i].parts[j]; !used[p] {
				t.Errorf("row %s: no test of %s that can give %s is called %s", table[i].name, p.pkg, table[i].figure, p.test)
			}
		}
	}
}

// marks notes which parts run a test, and says whether any does. Only random tests count sequences.
func marks(used map[*part]bool, pkg, name string, counts bool) (any bool) {
	for i := range table {
		if table[i].figure == "sequences" && !counts {
			continue
		}
		for j := range table[i].parts {
			p := &table[i].parts[j]
			if p.pkg == pkg && (p.fuzz && p.test == name || !p.fuzz && !strings.HasPrefix(name, "Fuzz") && regexp.MustCompile(p.test).MatchString(name)) {
				used[p], any = true, true
			}
		}
	}
	return any
}

func TestTable_IsInTheDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "internals", "testing.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## The programme\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var rows []string
	for _, line := range regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|`).FindAllStringSubmatch(section, -1) {
		if line[1] != "row" {
			rows = append(rows, line[1]+": "+line[3]+", "+line[4])
		}
	}
	var want []string
	for i := range table {
		want = append(want, table[i].name+": "+table[i].usual+", "+table[i].goal())
	}
	if !slices.Equal(rows, want) {
		t.Errorf("the document has\n%s\nthe programme\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
}
