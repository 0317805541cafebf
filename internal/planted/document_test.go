package planted

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the times of the plants of this run into docs/internals/testing.md")

// document is the page that has a row for each plant.
type document struct {
	path string

	mu    sync.Mutex
	table string // from the heading of the table on
	head  string // before
}

func readDocument(t *testing.T) *document {
	t.Helper()
	path := filepath.Join(root(t), "docs", "internals", "testing.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := &document{path: path}
	const heading = "\n## Planted bugs\n"
	d.head, d.table, _ = strings.Cut(string(text), heading)
	d.head += heading
	return d
}

// row returns the line of a plant, and its cells; none if it has no line.
func (d *document) row(p *plant) (line string, cells []string) {
	start := fmt.Sprintf("\n| %s | ", p.name)
	if p.often {
		start = fmt.Sprintf("\n| **%s** | ", p.name)
	}
	_, rest, found := strings.Cut(d.table, start)
	if !found {
		return "", nil
	}
	rest, _, _ = strings.Cut(rest, "\n")
	line = start[1:] + rest
	return line, strings.Split(strings.Trim(line, "| "), " | ")
}

// layer is where the table says that a plant is noticed.
func (d *document) layer(p *plant) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, cells := d.row(p); len(cells) > 1 {
		return cells[1]
	}
	return "no layer that the document names"
}

// time writes down how long it took until a plant was noticed.
func (d *document) time(p *plant, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	line, cells := d.row(p)
	if len(cells) != 4 {
		return // which TestPlants_AreInTheDocument tells
	}
	cells[3] = fmt.Sprintf("%.1f", took.Seconds())
	if took >= 10*time.Second {
		cells[3] = fmt.Sprintf("%.0f", took.Seconds())
	}
	d.table = strings.Replace(d.table, line, "| "+strings.Join(cells, " | ")+" |", 1)
}

// save writes the document if that is asked for.
func (d *document) save(t *testing.T) {
	if !*update {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := os.WriteFile(d.path, []byte(d.head+d.table), 0o644); err != nil {
		t.Error(err)
	}
}

func TestPlants_AreInTheDocument(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	for _, p := range plants {
		want := fmt.Sprintf("`%s` of `%s`", p.test, p.pkg)
		if second, known := p.second(); known {
			want += fmt.Sprintf("; `%s` of `%s`", second.test, second.pkg)
		}
		if _, cells := d.row(&p); len(cells) != 4 || cells[2] != want {
			t.Errorf("%s: no row of the table has it, a layer, %q and a time", p.name, want)
		}
	}
	const heads = 2
	if rows := strings.Count(d.table, "\n|") - heads; rows != len(plants) {
		t.Errorf("the table has %d rows for %d plants", rows, len(plants))
	}
}

func TestDocument_TimesGoToTheirRows(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	rows := strings.Count(d.table, "\n")
	p := &plants[len(plants)-1]
	d.time(p, 12340*time.Millisecond)
	line, cells := d.row(p)
	if len(cells) != 4 || cells[3] != "12" || !strings.HasSuffix(line, " | 12 |") {
		t.Errorf("after 12.34 s the row is %q", line)
	}
	d.time(p, 2340*time.Millisecond)
	if _, cells := d.row(p); cells[3] != "2.3" || strings.Count(d.table, "\n") != rows || d.layer(p) != cells[1] {
		t.Errorf("after 2.34 s the row is %q of %d", cells, rows)
	}
}
