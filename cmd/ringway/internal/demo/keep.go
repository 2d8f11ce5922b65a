package demo

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Commands are what one can type to talk to the fleet, of those commands of this
// program that there are.
func (r *Report) Commands(verbs []string) (lines []string) {
	if len(r.Agents) == 0 {
		return nil
	}
	var agents []string
	for _, a := range r.Agents {
		agents = append(agents, a.HTTP)
	}
	one, all := r.Agents[len(r.Agents)-1], strings.Join(agents, ",")
	for _, c := range [][2]string{
		{"members", ""}, {"ring", ""}, {"locate", " product:1 product:2"},
		{"plan", " --remove " + one.ID}, {"rebalance", ""}, {"drain", " " + one.ID},
	} {
		if slices.Contains(verbs, c[0]) {
			lines = append(lines, fmt.Sprintf("  %s %s --agent %s%s", program(), c[0], all, c[1]))
		}
	}
	if len(r.join) > 0 && slices.Contains(verbs, r.join[0]) {
		lines = append(lines, fmt.Sprintf("  %s %s    # a further node, whose empty server waits for it", program(), strings.Join(r.join, " ")))
	}
	if _, err := exec.LookPath("redis-cli"); err == nil && r.Backend != Memcached {
		for _, a := range r.Agents {
			if _, port, err := net.SplitHostPort(a.Server); err == nil {
				lines = append(lines, fmt.Sprintf("  redis-cli -p %s dbsize    # %s", port, a.ID))
			}
		}
	}
	return lines
}

// program is how this program is called.
func program() string {
	path, err := os.Executable()
	if err != nil || strings.Contains(path, string(filepath.Separator)+"go-build") {
		return "go run ./cmd/ringway" // which removes what it has built
	}
	if found, err := exec.LookPath(filepath.Base(path)); err == nil && found == path {
		return filepath.Base(path)
	}
	return path
}
