package main

import (
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
)

// table is text in columns. Cells are printed as they are: whoever fills them calls plain.
type table struct {
	header []string
	rows   [][]cell
	spare  []string // titles of the columns that a narrow terminal goes without, in this order
}

// cell is one field of a table.
type cell struct {
	text   string
	colour colour
}

// add appends a row.
func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

// text is a cell without a colour, of text that anybody may have written.
func text(s string) cell { return cell{text: plain(s)} }

// gap is the space between columns.
const gap = 2

// print prints the table; columns are as wide as their widest cell, and lines end where the terminal
// does. A table without rows is its header.
func (t table) print(s *session) {
	if s.out.width > 0 {
		t.fit(s.out.width)
	}
	widths := t.widths()
	t.printRow(s, widths, headerRow(t.header))
	for _, row := range t.rows {
		t.printRow(s, widths, row)
	}
}

func (t *table) widths() []int {
	widths := make([]int, len(t.header))
	for i, title := range t.header {
		widths[i] = runewidth.StringWidth(title)
	}
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], runewidth.StringWidth(c.text))
		}
	}
	return widths
}

// fit gives up columns until a few words of the last one, which says the most, fit into the width.
func (t *table) fit(width int) {
	const words = 24
	for _, title := range t.spare {
		widths := t.widths()
		last := len(widths) - 1
		needed := min(widths[last], words)
		for _, w := range widths[:last] {
			needed += w + gap
		}
		if needed <= width {
			return
		}
		if column := slices.Index(t.header, title); column >= 0 {
			t.drop(column)
		}
	}
}

// drop takes a column out.
func (t *table) drop(column int) {
	t.header = append(t.header[:column:column], t.header[column+1:]...)
	for i, row := range t.rows {
		t.rows[i] = append(row[:column:column], row[column+1:]...)
	}
}

func headerRow(titles []string) []cell {
	row := make([]cell, len(titles))
	for i, title := range titles {
		row[i] = cell{title, grey}
	}
	return row
}

func (t table) printRow(s *session, widths []int, row []cell) {
	var line strings.Builder
	used := 0
	for i, c := range row {
		left := s.out.width - used
		if s.out.width > 0 && left <= 0 {
			break
		}
		shown := c.text
		if s.out.width > 0 {
			shown = runewidth.Truncate(shown, left, "…")
		}
		line.WriteString(s.paint(c.colour, shown))
		if i < len(row)-1 {
			pad := widths[i] - runewidth.StringWidth(shown) + gap
			line.WriteString(strings.Repeat(" ", pad))
			used += widths[i] + gap
		}
	}
	s.printf("%s", strings.TrimRight(line.String(), " "))
}

// fields prints names and values below each other, the way one thing is shown to people. Pairs with an
// empty value are left out.
func (s *session) fields(pairs ...[2]string) {
	width := 0
	for _, p := range pairs {
		if p[1] != "" {
			width = max(width, len(p[0]))
		}
	}
	for _, p := range pairs {
		if p[1] == "" {
			continue
		}
		below := "\n" + strings.Repeat(" ", width+3)
		s.printf("%s%s  %s", s.paint(grey, p[0]+":"), strings.Repeat(" ", width-len(p[0])), strings.ReplaceAll(p[1], "\n", below))
	}
}
