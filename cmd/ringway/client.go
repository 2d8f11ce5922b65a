package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringway/internal/agents"
	"github.com/ringway/ringway/cmd/ringway/internal/settings"
	"github.com/ringway/ringway/internal/cli"
)

// defaultAgent is where an agent on this machine answers.
const defaultAgent = "http://127.0.0.1:8946"

// clientFlags are the flags of all commands that ask agents.
type clientFlags struct {
	agents    []string
	tokenFile string
	file      string
	format    *cli.Format
	settings  *settings.Settings
}

func (f *clientFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.agents, "agent", []string{defaultAgent}, "ask the first that answers of these agents, a `LIST` of http://, https:// or unix:// URLs")
	flags.StringVar(&f.tokenFile, "token-file", "", "`FILE` with a token to send, for a proxy before the agents that asks for one")
	addConfig(cmd, &f.file)
	f.format = cli.FormatFlag(cmd)
	noWords(cmd, "agent")
}

func addConfig(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, settings.ConfigFlag, "", "YAML `FILE` with settings: the names of flags are its keys")
}

// open reads the settings and returns a client for the agents.
func (f *clientFlags) open(cmd *cobra.Command) (*agents.Client, error) {
	var err error
	if f.settings, err = settings.Load(cmd, os.Environ()); err != nil {
		return nil, err
	}
	cfg := agents.Config{URLs: f.agents}
	if f.tokenFile != "" {
		if cfg.Token, err = readToken(f.tokenFile, f.settings.Where("token-file")); err != nil {
			return nil, err
		}
	}
	client, err := agents.New(cfg)
	if wrong := (*agents.URLError)(nil); errors.As(err, &wrong) {
		return nil, &cli.UsageError{Where: f.settings.Where("agent"), Found: cli.Quote(wrong.URL), Want: wrong.Want, Err: err}
	}
	return client, err
}

const minToken = 16 // characters

// readToken reads a token, which must be one that a header can carry and nobody
// guesses.
func readToken(file, where string) (string, error) {
	token, err := readSecret(file, where)
	if err != nil {
		return "", err
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return "", &cli.UsageError{Where: where, Found: "a character that no header can carry in " + cli.Quote(file), Want: "printable ASCII without spaces"}
		}
	}
	if len(token) < minToken {
		return "", &cli.UsageError{Where: where, Found: "a short token in " + cli.Quote(file), Want: "at least 16 characters"}
	}
	return token, nil
}
