//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// passed is how often the process has come to the place that the file names.
var passed struct {
	sync.Mutex
	order string // what the file said
	times int
}

// At is a place where the process may be killed. It is safe for concurrent use.
func At(name string) {
	file := os.Getenv("FAILPOINT_FILE")
	if file == "" {
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return // there is no order
	}
	place, number, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	nth, err := strconv.Atoi(number)
	if err != nil || nth < 1 {
		fmt.Fprintf(os.Stderr, "failpoint: %s: got %q, want NAME N\n", file, text)
		return
	}
	if place != name {
		return
	}
	passed.Lock()
	defer passed.Unlock()
	if passed.order != string(text) {
		passed.order, passed.times = string(text), 0
	}
	if passed.times++; passed.times < nth {
		return
	}
	_ = os.Remove(file)
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		_ = self.Kill()
	}
	select {} // nothing happens any more
}
