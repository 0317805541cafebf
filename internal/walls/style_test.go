package walls

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Bounds of CONTRIBUTING.md. Most files and functions stay far below them.
const (
	maxFileLines     = 500
	maxFunctionLines = 70
)

// Where the wall clock may be read. Everywhere else a time is an argument, an event's, or Options.Now's: a
// test can then set it, and replay gives the same result in every year.
var clockReaders = map[string]string{
	"cmd/queuectl":       "a command is for people, who live now",
	"bench":              "it measures",
	"queuetest":          "real time bounds what a test waits for",
	"internal/disk":      "it measures",
	"internal/storm":     "it measures from kills of its own",
	"internal/shell":     "it reports when a command started and ended",
	"scheduler/lease":    "it bounds how long an orphan may take to die",
	"internal/programme": "it shares out time",
}

// Single files of rooms that are not clock readers, with their reason.
var clockFiles = map[string]string{
	"queue/queue.go":  "the default of Options.Now",
	"eventlog/log.go": "the default of Options.Now",
}

// selector is a name of a package that is forbidden but for some rooms.
type selector struct {
	pkg, name string
	rooms     []string
	files     []string
	reason    string
}

var forbidden = []selector{
	{"os", "Getenv", []string{"cmd/queuectl", "scripts/pack"}, []string{"internal/shell/start_windows.go"}, "the environment is read by the command alone and passed on as options"},
	{"os", "LookupEnv", []string{"cmd/queuectl"}, nil, "the environment is read by the command alone and passed on as options"},
	{"os", "Exit", []string{"cmd/queuectl", "scripts/pack"}, []string{"bench/main.go", "internal/programme/main.go"}, "a library never ends its process"},
	{"os", "Stdout", []string{"cmd/queuectl", "bench"}, []string{"internal/programme/main.go"}, "standard output belongs to the command"},
	{"fmt", "Print", nil, nil, "standard output carries data, through the command's printer"},
	{"fmt", "Printf", []string{"bench"}, nil, "standard output carries data, through the command's printer"},
	{"fmt", "Println", []string{"bench"}, nil, "standard output carries data, through the command's printer"},
}

// Functions of math/rand/v2 that make a generator of their own; all others use the global one.
var ownGenerators = []string{"New", "NewPCG", "NewChaCha8", "NewZipf", "Rand", "Source", "PCG", "ChaCha8", "Zipf"}

// Files that may use the global random generator, with their reason.
var randomFiles = map[string]string{
	"queue/machine.go":          "job.At.Rand: fresh for each decision, recorded only in what it decides",
	"internal/effort/effort.go": "a fresh seed for a test, which prints it",
}

func TestClock_IsReadOnlyWhereItMust(t *testing.T) {
	t.Parallel()
	for _, file := range tree(t) {
		_, room := clockReaders[file.room]
		if _, single := clockFiles[file.path]; file.test || room || single {
			continue
		}
		file.uses(func(pkg, name string, line int) {
			if pkg == "time" && slices.Contains([]string{"Now", "Since", "Until"}, name) {
				t.Errorf("%s:%d reads the wall clock (time.%s): take the time as a value, or from Options.Now", file.path, line, name)
			}
		})
	}
}

func TestRandomness_IsNeverGlobal(t *testing.T) {
	t.Parallel()
	for _, file := range tree(t) {
		if file.test || randomFiles[file.path] != "" {
			continue
		}
		file.uses(func(pkg, name string, line int) {
			if pkg == "math/rand/v2" && !slices.Contains(ownGenerators, name) {
				t.Errorf("%s:%d uses the global generator (rand.%s): a run that found a bug could not be run again", file.path, line, name)
			}
		})
	}
}

func TestForbiddenNames_AreNotUsed(t *testing.T) {
	t.Parallel()
	for _, file := range tree(t) {
		if file.test {
			continue
		}
		file.uses(func(pkg, name string, line int) {
			for _, f := range forbidden {
				if pkg == f.pkg && name == f.name && !slices.Contains(f.rooms, file.room) && !slices.Contains(f.files, file.path) {
					t.Errorf("%s:%d uses %s.%s: %s", file.path, line, pkg, name, f.reason)
				}
			}
		})
	}
}

func TestFiles_TellOneStory(t *testing.T) {
	t.Parallel()
	for _, file := range tree(t) {
		if file.lines > maxFileLines {
			t.Errorf("%s has %d lines, more than %d: it tells more than one story", file.path, file.lines, maxFileLines)
		}
	}
}

func TestFunctions_FitAScreen(t *testing.T) {
	t.Parallel()
	for _, file := range tree(t) {
		if file.test { // the rows of a table may be many
			continue
		}
		for _, decl := range file.ast.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			if n := lines(f.Body); n > maxFunctionLines && n-flat(f.Body.List) > maxFunctionLines/2 {
				t.Errorf("%s: %s has %d lines, more than %d: keep the decisions, move the arithmetic out", file.path, f.Name.Name, n, maxFunctionLines)
			}
		}
	}
}

// lines returns how many lines a node covers.
func lines(n ast.Node) int {
	return fset.Position(n.End()).Line - fset.Position(n.Pos()).Line + 1
}

// flat returns how many of the lines belong to switches and selects with short cases, alone or in the
// loop around them: those read like a table, however long they are.
func flat(body []ast.Stmt) (n int) {
	const longestCase = 12
	for _, stmt := range body {
		var cases *ast.BlockStmt
		switch s := stmt.(type) {
		case *ast.ForStmt:
			n += flat(s.Body.List)
		case *ast.SwitchStmt:
			cases = s.Body
		case *ast.TypeSwitchStmt:
			cases = s.Body
		case *ast.SelectStmt:
			cases = s.Body
		}
		if cases == nil || slices.ContainsFunc(cases.List, func(c ast.Stmt) bool { return lines(c) > longestCase }) {
			continue
		}
		n += lines(cases)
	}
	return n
}

func TestNames_SayWhatThingsAre(t *testing.T) {
	t.Parallel()
	vagueRooms := []string{"util", "utils", "common", "types", "manager", "helper", "helpers", "misc", "base", "shared", "lib"}
	vague := regexp.MustCompile(`(?:Manager|Helper|Util|Utils)$|^Get[A-Z]`)
	for _, file := range tree(t) {
		if slices.Contains(vagueRooms, path.Base(file.room)) || slices.Contains(vagueRooms, file.ast.Name.Name) {
			t.Errorf("%s: package %s has a name that would fit anything", file.path, file.ast.Name.Name)
		}
		for _, decl := range file.ast.Decls {
			for _, name := range declared(decl) {
				if vague.MatchString(name.Name) {
					t.Errorf("%s:%d: %s says nothing: name what it is or does", file.path, fset.Position(name.Pos()).Line, name.Name)
				}
			}
		}
	}
}

// declared returns the names of a declaration's functions and types.
func declared(decl ast.Decl) (names []*ast.Ident) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		names = append(names, d.Name)
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if s, ok := spec.(*ast.TypeSpec); ok && d.Tok == token.TYPE {
				names = append(names, s.Name)
			}
		}
	}
	return names
}

func TestPackages_AreDocumentedOnce(t *testing.T) {
	t.Parallel()
	docs, hasCode := map[string][]string{}, map[string]bool{}
	for _, file := range tree(t) {
		hasCode[file.room] = hasCode[file.room] || !file.test
		if doc := file.ast.Doc.Text(); strings.HasPrefix(doc, "Package ") || strings.HasPrefix(doc, "Command ") {
			docs[file.room] = append(docs[file.room], file.path)
		}
	}
	for room := range rooms {
		if hasCode[room] && len(docs[room]) != 1 {
			t.Errorf("%d files have the documentation of package %s (%s): one file opens with its promise", len(docs[room]), room, docs[room])
		}
	}
}

func TestNothing_IsLeftForLater(t *testing.T) {
	t.Parallel()
	later := regexp.MustCompile(`\b(?:TO` + `DO|FIX` + `ME|XX` + `X)\b|not (?:built|implemented)"`)
	for _, file := range tree(t) {
		if at := later.FindIndex(file.text); at != nil {
			line := strings.Count(string(file.text[:at[0]]), "\n") + 1
			t.Errorf("%s:%d: %s: what is not built yet is an issue, not a comment", file.path, line, file.text[at[0]:at[1]])
		}
	}
}

// goStatements calls fn with the line of every statement that starts a goroutine.
func (s source) goStatements(fn func(line int)) {
	ast.Inspect(s.ast, func(n ast.Node) bool {
		if g, ok := n.(*ast.GoStmt); ok {
			fn(fset.Position(g.Pos()).Line)
		}
		return true
	})
}
