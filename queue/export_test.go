package queue

import (
	"context"
	"errors"

	"github.com/queuectl/queuectl/decide"
)

// For tests of what depends on workers that died, or on what came in between.
var (
	ExplainState = View.explain
	Quote        = (*Explanation).quote
)

// WaitInTwoLooks is WaitFor that looks before and after meanwhile, and at no other time.
func (q *Queue) WaitInTwoLooks(ids []string, opt WaitOptions, meanwhile func() error) ([]Waited, error) {
	w := vigil{ids: ids, opt: opt, waited: make([]Waited, len(ids))}
	for look, between := range []func() error{meanwhile, func() error { return nil }} {
		err := q.view(context.Background(), func(s *decide.State) {
			if look == 0 {
				w.begin(s)
			}
			w.look(s)
		})
		if err = errors.Join(err, w.err); err == nil {
			err = between()
		}
		if err != nil {
			return nil, err
		}
	}
	return w.result(), nil
}
