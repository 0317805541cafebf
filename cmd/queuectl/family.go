package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// mostRelatives are named in a line; the rest is counted.
const mostRelatives = 10

// aboutFamily says which jobs a job comes after, and which come after it.
func aboutFamily(ctx context.Context, q source, j job.Job) ([][2]string, error) {
	parents, err := q.Parents(ctx, j.Spec.ID)
	if err != nil {
		return nil, err
	}
	children, n, err := q.Children(ctx, j.Spec.ID, mostRelatives)
	if err != nil {
		return nil, err
	}
	return [][2]string{
		{"after", parentsWords(parents)},
		{"if not", unless(len(parents) == 0, j.Spec.OnParentFailure.String())},
		{"before", relativesWords(children, n, false)},
	}, nil
}

func parentsWords(list []queue.Relative) string { return relativesWords(list, len(list), true) }

// relativesWords names jobs with their states and, if asked to, how they have to end.
func relativesWords(list []queue.Relative, n int, on bool) string {
	var words []string
	for _, r := range list[:min(len(list), mostRelatives)] {
		words = append(words, plain(r.ID)+" ("+relativeState(r)+unless(!on || r.On == job.OnSuccess, ", on "+r.On.String())+")")
	}
	if more := n - len(words); more > 0 {
		words = append(words, fmt.Sprintf("%d more", more))
	}
	return strings.Join(words, ", ")
}

func relativeState(r queue.Relative) string {
	if r.State == 0 {
		return "not there any more"
	}
	return r.State.String()
}

// mostOfGraph are the lines of a graph that are drawn.
const mostOfGraph = 200

// graph draws the jobs that are before and behind one.
type graph struct {
	ctx   context.Context
	s     *session
	q     source
	self  string
	seen  map[string]bool
	lines int
	nodes []graphNode // for programs
}

// graphNode is a line of the tree as JSON.
type graphNode struct {
	ID    string  `json:"id"`
	State *string `json:"state"` // null = it has left the queue
	Depth int     `json:"depth"` // 0 = it comes after nothing
	On    *string `json:"on"`    // how the job above it has to end; null at depth 0
	Again bool    `json:"again"` // what comes after it stands further up
}

// drawGraph prints the job and all that come after it, below those that it comes after, as a tree.
func drawGraph(ctx context.Context, s *session, q source, id string) error {
	g := graph{ctx: ctx, s: s, q: q, self: id, seen: map[string]bool{}}
	roots, err := g.roots(id)
	if err != nil {
		return err
	}
	for _, root := range roots {
		if err := g.draw(root, "", "", 0); err != nil {
			return err
		}
	}
	if !g.seen[id] { // what comes before it is more than is drawn
		j, err := q.Job(ctx, id)
		if err != nil {
			return err
		}
		g.lines = 0
		if err := g.draw(queue.Relative{ID: id, State: j.State}, "", "", 0); err != nil {
			return err
		}
	}
	if !s.asTable() {
		return s.document(g.nodes)
	}
	return nil
}

// roots returns the jobs without parents that come before a job, at most as many as are drawn.
func (g *graph) roots(id string) (roots []queue.Relative, err error) {
	visited := map[string]bool{id: true}
	j, err := g.q.Job(g.ctx, id)
	if err != nil {
		return nil, err
	}
	for next := []queue.Relative{{ID: id, State: j.State}}; len(next) > 0 && len(visited) < 10*mostOfGraph; next = next[1:] {
		var parents []queue.Relative
		if next[0].State != 0 {
			if parents, err = g.q.Parents(g.ctx, next[0].ID); err != nil {
				return nil, err
			}
		}
		if len(parents) == 0 {
			roots = append(roots, next[0])
		}
		for _, p := range parents {
			if p.On = 0; !visited[p.ID] {
				visited[p.ID] = true
				next = append(next, p)
			}
		}
	}
	return roots, nil
}

// draw prints a job, and below it those that come after it. Each job is drawn once with what follows.
func (g *graph) draw(r queue.Relative, first, rest string, depth int) error {
	if g.lines++; g.lines > mostOfGraph {
		if g.lines == mostOfGraph+1 && g.s.asTable() {
			g.s.printf("%s…", first)
		}
		return nil
	}
	again := g.seen[r.ID]
	g.seen[r.ID] = true
	g.print(r, first, depth, again)
	if again || r.State == 0 {
		return nil
	}
	return g.below(r.ID, rest, depth+1)
}

func (g *graph) print(r queue.Relative, first string, depth int, again bool) {
	if !g.s.asTable() {
		node := graphNode{ID: r.ID, Depth: depth, Again: again}
		if r.State != 0 {
			node.State = new(r.State.String())
		}
		if depth > 0 {
			node.On = new(r.On.String())
		}
		g.nodes = append(g.nodes, node)
		return
	}
	g.s.printf("%s%s  %s%s%s%s", first, plain(r.ID), g.s.paint(stateColour(r.State), relativeState(r)),
		unless(depth == 0 || r.On == job.OnSuccess, ", on "+r.On.String()), unless(r.ID != g.self, "  <"), unless(!again, "  (see above)"))
}

// below draws what comes after a job, and what its ends have become.
func (g *graph) below(id, rest string, depth int) error {
	children, n, err := g.q.Children(g.ctx, id, mostOfGraph)
	if err != nil {
		return err
	}
	hooks, err := g.q.Hooks(g.ctx, id)
	if err != nil {
		return err
	}
	for _, hook := range hooks {
		children = append(children, queue.Relative{ID: hook.Spec.ID, State: hook.State, On: job.OnAny, Key: hook.Key})
	}
	n += len(hooks)
	for i, c := range children {
		tee, line := "├─ ", "│  "
		if i == len(children)-1 && n == len(children) {
			tee, line = "└─ ", "   "
		}
		if err := g.draw(c, rest+tee, rest+line, depth); err != nil {
			return err
		}
	}
	if n > len(children) && g.s.asTable() {
		g.s.printf("%s└─ %d more", rest, n-len(children))
	}
	return nil
}
