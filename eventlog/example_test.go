package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/queuectl/queuectl/eventlog"
)

// counter is a State: the sum of what was added.
type counter struct{ sum int }

func (c *counter) Fold(e *eventlog.Entry) error {
	for _, event := range e.Events {
		c.sum += int(event.Data[0])
	}
	return nil
}

func (c *counter) Reset() { c.sum = 0 }

func Example() {
	dir, err := os.MkdirTemp("", "counter")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	ctx, c := context.Background(), &counter{}
	l, err := eventlog.Open(ctx, dir, c, eventlog.Options{
		Create: func(eventlog.LogID) (eventlog.Meta, []eventlog.Event) {
			return eventlog.Meta{Program: "example"}, []eventlog.Event{{Kind: 1, Data: []byte{0}}}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	errEnough := errors.New("more than 10 is not allowed")
	add := func(n int) error {
		return l.Append(ctx, &eventlog.Proposal{
			Meta: eventlog.Meta{Program: "example"},
			Decide: func(eventlog.Turn) ([]eventlog.Event, error) {
				if c.sum+n > 10 {
					return nil, errEnough
				}
				c.sum += n
				return []eventlog.Event{{Kind: 1, Data: []byte{byte(n)}}}, nil
			},
		})
	}
	fmt.Println(add(4), add(5), add(6))

	var sum int
	if err := l.View(ctx, func(eventlog.Head) { sum = c.sum }); err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum)
	// Output:
	// <nil> <nil> more than 10 is not allowed
	// 9
}
