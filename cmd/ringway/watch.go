package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
)

// watchEvery is the pause between two looks.
const watchEvery = time.Second

// A look is what a command saw of the fleet at one moment.
type look struct {
	report   cli.Report
	disagree []string
}

// finish prints a look, and fails if all have to agree and do not.
func (l look) finish(cmd *cobra.Command, f cli.Format, assertAgree bool) error {
	if err := l.report.Print(cmd.OutOrStdout(), f); err != nil {
		return err
	}
	if assertAgree {
		return agreement(l.disagree)
	}
	return nil
}

// watch shows a look every second until the command is interrupted: in place on
// a terminal, else one below the other, and then only if it has changed. Agents
// that do not answer end it only if they never have.
func watch(cmd *cobra.Command, f cli.Format, take func(ctx context.Context) (look, error)) error {
	w := &watcher{out: cmd.OutOrStdout(), errs: cmd.ErrOrStderr(), format: f}
	w.inPlace = f == cli.Table && cli.IsTerminal(w.out)
	return w.run(cmd.Context(), watchEvery, take)
}

type watcher struct {
	out, errs io.Writer
	format    cli.Format
	inPlace   bool

	begun bool
	last  []byte // what was shown, but for the age of states
	said  string // the trouble that was told last
}

func (w *watcher) run(ctx context.Context, every time.Duration, take func(ctx context.Context) (look, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		l, err := take(ctx)
		switch {
		case ctx.Err() != nil:
			return nil // Ctrl-C is how one ends it
		case err != nil && !w.begun:
			return err
		case err != nil:
			w.trouble(err)
		default:
			if err := w.show(l); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// show prints a look if there is something new in it.
func (w *watcher) show(l look) error {
	var facts bytes.Buffer
	if err := l.report.Print(&facts, cli.JSON); err != nil {
		return err
	}
	same := w.begun && w.said == "" && bytes.Equal(facts.Bytes(), w.last)
	if same && !w.inPlace {
		return nil
	}
	begun := w.begun
	w.begun, w.said, w.last = true, "", facts.Bytes()
	if w.inPlace {
		return w.redraw(l, begun)
	}
	var b bytes.Buffer
	if err := l.report.Print(&b, w.format); err != nil {
		return err
	}
	if begun && w.format == cli.CSV { // one header is enough
		_, rows, _ := bytes.Cut(b.Bytes(), []byte("\n"))
		_, err := w.out.Write(rows)
		return err
	}
	if begun && w.format == cli.Table {
		if _, err := io.WriteString(w.out, "\n"); err != nil {
			return err
		}
	}
	_, err := w.out.Write(b.Bytes())
	return err
}

// redraw writes over what is on the terminal, line by line, so that it does not
// flicker. Nothing of the terminal is changed that would have to be undone.
func (w *watcher) redraw(l look, begun bool) error {
	var b, table bytes.Buffer
	l.report.Table(&table, cli.StyleFor(w.out))
	if !begun {
		b.WriteString("\x1b[2J")
	}
	b.WriteString("\x1b[H")
	lines := strings.Split(strings.TrimSuffix(table.String(), "\n"), "\n")
	if height := terminalHeight(w.out); height > 1 && len(lines) > height-1 {
		left := len(lines) - (height - 2)
		lines = append(lines[:height-2], "… "+counted(left, "more line"))
	}
	for _, line := range lines {
		b.WriteString(line + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	_, err := w.out.Write(b.Bytes())
	return err
}

func terminalHeight(out io.Writer) int {
	f, isFile := out.(*os.File)
	if !isFile {
		return 0
	}
	_, height, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return height
}

// trouble says once why there is nothing new.
func (w *watcher) trouble(err error) {
	text := err.Error()
	if text == w.said || errors.Is(err, context.Canceled) {
		return
	}
	w.said = text
	for line := range strings.SplitSeq(text, "\n") {
		_, _ = io.WriteString(w.errs, "ringway: "+printable.Escape(line)+"\n")
	}
}
