package main

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/simulations/scenario"
	"github.com/ringway/ringway/simulations/scenarios"
)

// checkOutput refuses a file that could not be written, before anything is run.
func checkOutput(flag, name, want string) error {
	if name == "-" {
		return &cli.UsageError{Where: "--" + flag, Found: cli.Quote(name), Want: want + "; the standard output is --format's"}
	}
	folder, err := os.Stat(filepath.Dir(name))
	if info, there := os.Stat(name); there == nil && info.IsDir() || name == "" || err != nil || !folder.IsDir() {
		return &cli.UsageError{Where: "--" + flag, Found: cli.Quote(name), Want: want}
	}
	if err := cli.CheckFile(name); err != nil {
		return &cli.UsageError{Where: "--" + flag, Found: cli.Quote(name) + ", which cannot be written: " + err.Error(), Want: want, Err: err}
	}
	return nil
}

// An output is a file that a flag asks for.
type output struct{ flag, name string }

// checkTwice refuses two outputs that would overwrite each other.
func checkTwice(outputs ...output) error {
	for i, o := range outputs {
		for _, other := range outputs[:i] {
			if o.name != "" && other.name != "" && sameFile(o.name, other.name) {
				return &cli.UsageError{Where: "--" + o.flag, Found: cli.Quote(o.name) + ", the file of --" + other.flag, Want: "another one"}
			}
		}
	}
	return nil
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	two, err2 := os.Stat(b)
	if err == nil && err2 == nil {
		return os.SameFile(one, two)
	}
	inOne, err := filepath.Abs(a)
	inTwo, err2 := filepath.Abs(b)
	return err == nil && err2 == nil && inOne == inTwo
}

// writeFiles writes what flags ask for beside the report, complete or not at all.
func (f *runFlags) writeFiles(out *runReport) error {
	if f.json != "" {
		var b bytes.Buffer
		if err := cli.WriteJSON(&b, out.json()); err != nil {
			return err
		}
		if err := cli.WriteFile(f.json, b.Bytes()); err != nil {
			return err
		}
	}
	if f.series == "" {
		return nil
	}
	var b bytes.Buffer
	if err := cli.WriteCSV(&b, out.series()); err != nil {
		return err
	}
	return cli.WriteFile(f.series, b.Bytes())
}

// printList shows the scenarios that ship with ringsim.
func (f *runFlags) printList(cmd *cobra.Command) error {
	var records []cli.Record
	var rows [][]string
	for _, name := range scenarios.Names() {
		content, _ := scenarios.Read(name)
		s, err := scenario.Parse(name+".yaml", content)
		if err != nil {
			return runUsage(err)
		}
		records = append(records, cli.Record{{Name: "name", Value: name}, {Name: "question", Value: s.Question}})
		rows = append(rows, []string{name, s.Question})
	}
	return finish(cmd, cli.Report{
		JSON: func() cli.Record {
			return cli.Record{{Name: "schema", Value: "ringsim.scenarios/1"}, {Name: "scenarios", Value: records}}
		},
		CSV: func() []cli.Record { return records },
		Table: func(b *bytes.Buffer, s cli.Style) {
			cli.WriteTable(b, s, []cli.Column{{Title: "scenario", Left: true}, {Title: "question", Left: true}}, rows)
		},
	}, *f.format, nil)
}
