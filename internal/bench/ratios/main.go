// Command ratios runs the benchmarks of package bench several times and prints
// what they come to as ratios, in Markdown: docs/performance.md is its output.
//
//	go run ./ratios [-rounds 11] [-benchtime 100ms]
//
// Each round runs all benchmarks once, one after the other. A ratio is taken
// within a round, from times measured within a second or two, and what is
// printed is the median over the rounds: a machine that slows down for a while
// slows both sides of a ratio, and a disturbance of one round falls out. A
// machine with other work to do is still the wrong place: if the unit itself
// varied much, the report and a warning say so.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/ringway/ringway/internal/bench/rounds"
)

func main() {
	count := flag.Int("rounds", 11, "`number` of rounds to take medians over")
	benchtime := flag.Duration("benchtime", 100*time.Millisecond, "`time` for each benchmark in each round")
	flag.Parse()
	if flag.NArg() > 0 || *count < 1 || *benchtime <= 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *count, *benchtime); err != nil {
		fmt.Fprintln(os.Stderr, "ratios:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, count int, benchtime time.Duration) error {
	dir, err := os.MkdirTemp("", "ratios")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "bench.test")
	if _, err := output(ctx, "go", "test", "-c", "-o", binary, "github.com/ringway/ringway/internal/bench"); err != nil {
		return err
	}
	var m measurements
	for i := range count {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", i+1, count)
		round := make(rounds.Round)
		for _, part := range [][2]string{
			{"Lookup|Position|Build", "1"},
			{"Parallel/^(modulo|ring|balanced)$", "1,2"},
		} {
			text, err := output(ctx, binary, "-test.run", "^$", "-test.bench", part[0], "-test.cpu", part[1],
				"-test.benchtime", benchtime.String())
			if err != nil {
				return err
			}
			if err := parse(round, text); err != nil {
				return err
			}
			m.cpu = field(text, "cpu: ")
		}
		m.rounds = append(m.rounds, round)
	}
	if warning := unit.Warning(m.rounds); warning != "" {
		fmt.Fprintln(os.Stderr, "ratios:", warning)
	}
	version, err := output(ctx, "go", "version")
	if err != nil {
		return err
	}
	m.goVersion = strings.TrimPrefix(strings.TrimSpace(version), "go version ")
	m.command = fmt.Sprintf("go -C internal/bench run ./ratios -rounds %d -benchtime %v", count, benchtime)
	text, err := m.report()
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "balance and movement")
	balance, err := balanceTable(ctx, setups())
	if err != nil {
		return err
	}
	_, err = os.Stdout.WriteString(text + balance + elsewhere)
	return err
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return "", errors.New("interrupted")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", filepath.Base(name), err, out, stderr.Bytes())
	}
	return string(out), nil
}

// field returns the rest of the first line that begins with the prefix.
func field(text, prefix string) string {
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, prefix); found {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}
