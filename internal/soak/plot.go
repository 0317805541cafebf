package soak

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
	"time"
)

// The plot, in pixels: panels below one another, each with its legend to the right.
const (
	plotWidth   = 720.0
	plotHeight  = 130.0
	plotLeft    = 70.0
	plotRight   = 210.0
	panelHeight = plotHeight + 50
)

var colours = []string{"#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#17becf", "#7f7f7f"}

// SVG draws everything, a panel for each kind, from 0 to the highest value. Where nothing is known there is no line.
func (r *Record) SVG(w io.Writer) error {
	var b strings.Builder
	panels := 0
	for kind := range Kind(len(kinds)) {
		var series []*Series
		for _, s := range r.Series {
			if s.Kind == kind {
				series = append(series, s)
			}
		}
		if len(series) > 0 {
			r.panel(&b, kind, series, 30+float64(panels)*panelHeight)
			panels++
		}
	}
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g"
 font-family="sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="white"/>
%s</svg>
`, plotLeft+plotWidth+plotRight, 10+float64(panels)*panelHeight, b.String())
	return err
}

// panel draws one kind, from top on.
func (r *Record) panel(b *strings.Builder, kind Kind, series []*Series, top float64) {
	highest := 0.0
	for _, s := range series {
		for _, v := range s.Values {
			if v > highest { // NaN is not
				highest = v
			}
		}
	}
	whole := max(r.Times[len(r.Times)-1], 1)
	x := func(at time.Duration) float64 { return plotLeft + plotWidth*float64(at)/float64(whole) }
	y := func(v float64) float64 { return top + plotHeight*(1-v/max(highest, math.SmallestNonzeroFloat64)) }
	fmt.Fprintf(b, `<text x="%g" y="%g" font-weight="bold">%s</text>`+"\n", plotLeft, top-8, kinds[kind].title)
	fmt.Fprintf(b, `<rect x="%g" y="%g" width="%g" height="%g" fill="none" stroke="#ccc"/>`+"\n",
		plotLeft, top, plotWidth, plotHeight)
	label := func(x, y float64, anchor, text string) {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(text))
	}
	label(plotLeft-4, top+10, "end", kind.show(highest))
	label(plotLeft-4, top+plotHeight, "end", "0")
	label(plotLeft, top+plotHeight+14, "middle", "0")
	label(plotLeft+plotWidth, top+plotHeight+14, "middle", whole.Round(time.Second).String())
	for i, s := range series {
		colour, line := colours[i%len(colours)], top+10+15*float64(i)
		fmt.Fprintf(b, `<path fill="none" stroke="%s" d="%s"/>`+"\n", colour, path(r.Times, s.Values, x, y))
		fmt.Fprintf(b, `<rect x="%g" y="%g" width="10" height="3" fill="%s"/>`+"\n", plotLeft+plotWidth+8, line-4, colour)
		label(plotLeft+plotWidth+22, line, "start", s.Name)
	}
}

// path is a line through the values that are known.
func path(times []time.Duration, values []float64, x func(time.Duration) float64, y func(float64) float64) string {
	var b strings.Builder
	step := "M"
	for i, v := range values {
		if math.IsNaN(v) {
			step = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", step, x(times[i]), y(v))
		step = "L"
	}
	return b.String()
}
