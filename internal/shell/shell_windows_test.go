package shell

func shellArgv(line string) []string { return []string{"cmd", "/C", line} }
