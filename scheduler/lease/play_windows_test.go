package lease

func play([]string) {}
