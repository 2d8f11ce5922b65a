package main

import (
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringway/internal/settings"
	"github.com/ringway/ringway/internal/agent"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/membership"
)

// movePasswordVariable may hold the password of the servers that receive keys.
const movePasswordVariable = settings.Prefix + "MOVE_PASSWORD"

// moveFlags say how the node's keys go to others.
type moveFlags struct {
	keys               int
	bytes              string
	user, passwordFile string
}

func (f *moveFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&f.keys, "move-keys", 0, "most keys a second that go to other nodes, a `NUMBER`; 0: no limit")
	flags.StringVar(&f.bytes, "move-bytes", "", "most bytes a second that go to other nodes, a `SIZE` such as 50MB; no limit without")
	flags.StringVar(&f.user, "move-user", "", "Redis user `NAME` for the servers of other nodes, if that is not --server-user")
	flags.StringVar(&f.passwordFile, "move-password-file", "", "`FILE` with the password of that user; or set RINGWAY_MOVE_PASSWORD")
	noWords(cmd, "move-keys", "move-bytes", "move-user")
}

func (f *moveFlags) fill(s *settings.Settings, server dataserver.Config, cfg *agent.MoveConfig) (err error) {
	if f.keys < 0 {
		return &cli.UsageError{Where: s.Where("move-keys"), Found: strconv.Itoa(f.keys), Want: "0 or more"}
	}
	cfg.Limits.Keys = f.keys
	if f.bytes != "" && f.bytes != "0" {
		if cfg.Limits.Bytes, err = parseSize(s.Where("move-bytes"), f.bytes); err != nil {
			return err
		}
	}
	cfg.Username, cfg.PasswordFile = f.user, f.passwordFile
	if os.Getenv(movePasswordVariable) != "" {
		cfg.PasswordEnv = movePasswordVariable
	}
	if *cfg == (agent.MoveConfig{Limits: cfg.Limits}) {
		return nil
	}
	where := s.Where("move-user")
	if f.user == "" {
		where = s.Where("move-password-file")
	}
	receiver, err := agent.Config{Server: server, Move: *cfg}.Receiver(membership.Member{ID: "any", Address: "any:1"})
	if err == nil {
		var data dataserver.Server
		if data, err = dataserver.Open(receiver); err == nil {
			_ = data.Close()
		}
	}
	if err != nil {
		return &cli.UsageError{Where: where, Found: "what cannot be used (" + err.Error() + ")", Want: "credentials for the servers of other nodes", Err: err}
	}
	return nil
}
