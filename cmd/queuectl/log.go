package main

type logCmd struct {
	List   logListCmd   `cmd:"" help:"List the events of the log."`
	Follow logFollowCmd `cmd:"" help:"Print events as they happen."`
	Verify logVerifyCmd `cmd:"" help:"Check every byte of the log."`
}
