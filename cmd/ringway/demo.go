package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringway/internal/demo"
	"github.com/ringway/ringway/internal/cli"
)

// demoFlags are the settings of the demo.
type demoFlags struct {
	nodes, keys, rate int
	calm              time.Duration
	backend, html     string
	keep              bool
	format            *cli.Format
}

func newDemo() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole mission on this machine: a fleet is resized under load",
		Long: `Demo starts a fleet on this machine, a data server and an agent a node, and one client
that replays a real trace against it at a fixed rate. Then a node joins, one is drained,
and one is killed, while every key is compared with what was stored under it. It takes
less than a minute, needs nothing but this program, and leaves nothing behind but a page
with plots of what happened.

Exit code 1 means that something that was promised did not hold; it is named.`,
		Example: `  ringway demo
  ringway demo --backend memcached --rate 10000
  ringway demo --keep
  ringway demo --format json | jq '.promises[] | select(.kept | not)'`,
		Args:        cli.NoArgs,
		Annotations: map[string]string{ownEnd: "yes"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.IntVar(&f.nodes, "nodes", demo.DefaultNodes, fmt.Sprintf("nodes at the beginning, a `NUMBER` from %d to %d", demo.MinNodes, demo.MaxNodes))
	flags.IntVar(&f.keys, "keys", demo.DefaultKeys, fmt.Sprintf("keys in the cache, a `NUMBER` from %d to %d", demo.MinKeys, demo.MaxKeys))
	flags.IntVar(&f.rate, "rate", demo.DefaultRate, fmt.Sprintf("requests a second, a `NUMBER` from %d to %d", demo.MinRate, demo.MaxRate))
	flags.DurationVar(&f.calm, "calm", demo.DefaultCalm, "how long to look on after each step, a `DURATION` up to "+demo.MaxCalm.String())
	flags.StringVar(&f.backend, "backend", "", "what the data servers are, `redis|memcached|embedded`; by default redis-server if it is installed, else embedded ones")
	flags.StringVar(&f.html, "html", filepath.Join(os.TempDir(), "ringway-demo.html"), "write the page to this `FILE`; by default ringway-demo.html in the folder for temporary files; none: nowhere")
	flags.BoolVar(&f.keep, "keep", false, "leave the fleet running and under load until Ctrl-C, and print the commands to talk to it")
	flags.Lookup("html").DefValue = "" // it is another one on each machine
	f.format = cli.FormatFlag(cmd)
	oneOf(cmd, "backend", "redis", "memcached", "embedded")
	noWords(cmd, "nodes", "keys", "rate", "calm")
	return cmd
}

// newDemoServer is what the demo runs as a data server where none is installed.
func newDemoServer() *cobra.Command {
	return &cobra.Command{
		Use:   demo.ServeCommand,
		Short: "Serve as an embedded data server of the demo, until the standard input ends",
		Long: `Demo-server is a data server that knows the commands of Redis which a cache needs, on a
free port of this machine. The demo runs one a node where no redis-server is installed.`,
		Example:     "  ringway demo-server < /dev/tty",
		Hidden:      true,
		Args:        cli.NoArgs,
		Annotations: map[string]string{ownSignals: "yes"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo.ServeEmbedded(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

// check refuses settings that cannot be.
func (f *demoFlags) check() error {
	for _, n := range []struct {
		flag             string
		got, least, most int
	}{
		{"nodes", f.nodes, demo.MinNodes, demo.MaxNodes},
		{"keys", f.keys, demo.MinKeys, demo.MaxKeys},
		{"rate", f.rate, demo.MinRate, demo.MaxRate},
	} {
		if n.got < n.least || n.got > n.most {
			return &cli.UsageError{Where: "--" + n.flag, Found: fmt.Sprint(n.got), Want: fmt.Sprintf("a number from %d to %d", n.least, n.most)}
		}
	}
	if f.calm <= 0 || f.calm > demo.MaxCalm {
		return &cli.UsageError{Where: "--calm", Found: f.calm.String(), Want: "a duration above 0 and up to " + demo.MaxCalm.String()}
	}
	backend := demo.Backend(f.backend)
	if f.backend != "" && !slices.Contains(demo.Backends, backend) {
		return &cli.UsageError{Where: "--backend", Found: cli.Quote(f.backend), Want: "redis, memcached or embedded"}
	}
	if err := backend.Check(); err != nil {
		return &cli.UsageError{Where: "--backend", Found: cli.Quote(f.backend), Want: "one whose program is installed, or embedded", Err: err}
	}
	return f.checkHTML()
}

// checkHTML refuses a file that could not be written in the end.
func (f *demoFlags) checkHTML() error {
	if f.html == "none" {
		return nil
	}
	want := "a file in a folder that is there, or none"
	if f.html == "" {
		return &cli.UsageError{Where: "--html", Found: "nothing", Want: want}
	}
	if info, err := os.Stat(filepath.Dir(f.html)); err != nil || !info.IsDir() {
		return &cli.UsageError{Where: "--html", Found: cli.Quote(f.html), Want: want}
	}
	if info, err := os.Stat(f.html); err == nil && info.IsDir() {
		return &cli.UsageError{Where: "--html", Found: "the folder " + cli.Quote(f.html), Want: want}
	}
	if err := cli.CheckFile(f.html); err != nil {
		return &cli.UsageError{Where: "--html", Found: cli.Quote(f.html) + ", which cannot be written: " + err.Error(), Want: want, Err: err}
	}
	return nil
}

func (f *demoFlags) run(cmd *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	cfg := demo.Config{Nodes: f.nodes, Keys: f.keys, Rate: f.rate, Calm: f.calm, Backend: demo.Backend(f.backend), Keep: f.keep, Version: cmd.Root().Version}
	lines := cmd.OutOrStdout()
	if *f.format != cli.Table {
		if lines = cmd.ErrOrStderr(); !cli.IsTerminal(lines) {
			lines = io.Discard
		}
	}
	cfg.Out, cfg.Style = lines, cli.StyleFor(lines)
	told := false
	tell := func(r *demo.Report) error {
		told = true
		return f.tell(cmd, r, lines)
	}
	report, err := demo.Run(cmd.Context(), cfg, tell)
	if err != nil {
		return err
	}
	if !told {
		if err := tell(report); err != nil {
			return err
		}
	}
	var broken []string
	for _, p := range report.Promises {
		if !p.Kept {
			broken = append(broken, "promise broken: "+p.Name)
		}
	}
	if len(broken) > 0 {
		return &cli.FailedError{Lines: broken}
	}
	return nil
}

// tell writes the page and prints the report.
func (f *demoFlags) tell(cmd *cobra.Command, r *demo.Report, lines io.Writer) error {
	if f.html != "none" {
		var page bytes.Buffer
		if err := r.WritePage(&page); err != nil {
			return err
		}
		if err := cli.WriteFile(f.html, page.Bytes()); err != nil {
			return err
		}
		path, err := filepath.Abs(f.html)
		if err != nil {
			path = f.html
		}
		r.HTML = path
		fmt.Fprintf(lines, "\nPlots of all this: %s\n", path)
	}
	if f.keep {
		fmt.Fprintf(lines, "\nThe fleet runs on, under load, until Ctrl-C. To talk to it:\n\n%s\n\n",
			strings.Join(r.Commands(verbs(cmd.Root())), "\n"))
	}
	report := cli.Report{JSON: r.Record, CSV: r.Records, Table: func(*bytes.Buffer, cli.Style) {}}
	return report.Print(cmd.OutOrStdout(), *f.format)
}

// verbs are the names of the commands that there are.
func verbs(root *cobra.Command) (names []string) {
	for _, cmd := range root.Commands() {
		names = append(names, cmd.Name())
	}
	return names
}
