package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type queueSetCmd struct {
	Name        string  `arg:"" name:"name" help:"Queue to limit."`
	Concurrency *string `placeholder:"N" help:"Jobs that run at a time. none: any number."`
	Rate        *string `placeholder:"N/UNIT" help:"Jobs that begin in a second (10/s), a minute (600/m) or an hour (5/h). none: any number."`
}

// Help is shown below the usage line.
func (queueSetCmd) Help() string {
	return `The limits hold for all workers of all processes together, from now on. A limit that is not named stays
as it is.

A rate of N/s is a bucket that holds N jobs and gains N each second. So after a rest N jobs may begin at
once, and then one every 1/N of a second: never more than 2N-1 in any one second.

Examples:

  queuectl queue set mail --concurrency 3
  queuectl queue set api --rate 10/s --reason 'their limit'
  queuectl queue set api --rate none`
}

// Run sets the limits.
func (c *queueSetCmd) Run(ctx context.Context, s *session) error {
	if c.Concurrency == nil && c.Rate == nil {
		return usage("nothing to set: give --concurrency, --rate or both", "'queuectl queue list' shows what is set")
	}
	if err := job.CheckQueue(c.Name); err != nil {
		return err // before a queue is made
	}
	var wanted job.Limits
	if c.Concurrency != nil {
		if err := wanted.SetConcurrency(*c.Concurrency); err != nil {
			return c.refused(err, *c.Concurrency)
		}
	}
	if c.Rate != nil {
		if err := wanted.SetRate(*c.Rate); err != nil {
			return c.refused(err, *c.Rate)
		}
	}
	return s.change(ctx, func(q *queue.Queue) error {
		info, err := q.LimitQueue(ctx, c.Name, func(l *job.Limits) {
			if c.Concurrency != nil {
				l.Concurrency = wanted.Concurrency
			}
			if c.Rate != nil {
				l.Rate, l.Per = wanted.Rate, wanted.Per
			}
		})
		if err != nil {
			return err
		}
		s.changed = true
		switch {
		case s.quiet:
			s.printf("%s", info.Name)
		case s.format.machine():
			return s.document(viewQueue(info))
		default:
			s.printf("Set queue %s: concurrency %s, rate %s", plain(info.Name), info.ConcurrencyText(), info.RateText())
		}
		return nil
	})
}

// refused names what was meant by a limit of zero.
func (c *queueSetCmd) refused(err error, limit string) error {
	number, _, _ := strings.Cut(limit, "/")
	if n, bad := strconv.Atoi(number); bad == nil && n == 0 {
		return &failure{err: err, hint: "to let no job begin: 'queuectl queue pause " + job.Quote([]string{c.Name}) + "'"}
	}
	return err
}
