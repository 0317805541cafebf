// Package walls keeps the house in order: its tests read the source of the whole module and fail, with the
// reason, when a room opens onto one that it must not know, or when a rule of CONTRIBUTING.md that a
// program can check is broken. It holds no code.
package walls

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/queuectl/queuectl"

// source is one Go file of the module, whatever system it is for.
type source struct {
	path  string // slash-separated, relative to the root
	room  string // its directory; "." = the root
	test  bool
	lines int
	text  []byte
	ast   *ast.File
}

var fset = token.NewFileSet()

// readTree parses every Go file of the module once. Build constraints are not looked at: a wall that only
// holds on one system is none.
var readTree = sync.OnceValues(func() ([]source, error) {
	root := filepath.Join("..", "..")
	var files []source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			hidden := strings.HasPrefix(entry.Name(), ".") && name != root
			if hidden || entry.Name() == "testdata" || entry.Name() == "dist" || isOtherModule(root, name) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		files = append(files, source{
			path: rel, room: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"),
			lines: strings.Count(string(text), "\n"), text: text, ast: parsed,
		})
		return nil
	})
	return files, err
})

// isOtherModule says that a directory below the root is the root of a module of its own.
func isOtherModule(root, dir string) bool {
	if dir == root {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// tree returns the module's files and fails the test when they cannot be read, or are suspiciously few:
// a wall that looks at nothing would never fall.
func tree(t *testing.T) []source {
	t.Helper()
	files, err := readTree()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("only %d Go files were found: this test does not see the module", len(files))
	}
	return files
}

// imports returns the import paths of a file by the names that the file knows them by.
func (s source) imports() map[string]string {
	names := map[string]string{}
	for _, spec := range s.ast.Imports {
		target, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
		name := path.Base(target)
		if strings.HasPrefix(name, "v") && strings.Trim(name[1:], "0123456789") == "" {
			name = path.Base(path.Dir(target)) // math/rand/v2 is rand
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = target
	}
	return names
}

// uses calls fn for every selector of an imported package in the file: the package's path, the name that
// is selected, and where.
func (s source) uses(fn func(pkg, name string, line int)) {
	imports := s.imports()
	ast.Inspect(s.ast, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && imports[x.Name] != "" {
			fn(imports[x.Name], selector.Sel.Name, fset.Position(selector.Pos()).Line)
		}
		return true
	})
}
