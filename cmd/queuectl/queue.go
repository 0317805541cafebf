package main

type queueCmd struct {
	List   queueListCmd   `cmd:"" help:"List the queues, with what holds them back."`
	Pause  queuePauseCmd  `cmd:"" help:"Let no job of a queue begin."`
	Resume queueResumeCmd `cmd:"" help:"Let the jobs of a paused queue begin again."`
	Set    queueSetCmd    `cmd:"" help:"Limit how many jobs of a queue run or begin."`
}
