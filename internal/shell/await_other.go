//go:build unix && !linux

package shell

// await returns when the first process has ended. There is no portable way to do so without reaping it. So between its
// end and our note of that, which is microseconds, Kill could reach a new group with the same number; numbers are not
// given away again that fast.
func (c *child) await() { c.reap() }
