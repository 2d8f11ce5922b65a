package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ringway/ringway/cmd/ringway/internal/settings"
)

const deploy = "../../docs/deploy"

func readDeploy(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// parsed returns the command that a line of words calls, with its flags parsed.
func parsed(t *testing.T, words []string) *cobra.Command {
	t.Helper()
	cmd, rest, err := newRoot("test").Find(words)
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	return cmd
}

// unit reads a unit file: the values of each key of each section, in their order.
func unit(t *testing.T, text string) map[string][]string {
	t.Helper()
	values, section := make(map[string][]string), ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, isPair := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[' && line[len(line)-1] == ']':
			section = line[1 : len(line)-1]
		case !isPair || section == "":
			t.Errorf("not a line of a unit: %q", line)
		default:
			values[section+"."+key] = append(values[section+"."+key], value)
		}
	}
	return values
}

func TestUnit(t *testing.T) {
	values := unit(t, readDeploy(t, "ringway-agent.service"))
	for key, want := range map[string]string{
		"Service.Type": "notify", "Service.Restart": "on-failure", "Service.RestartPreventExitStatus": "2",
		"Service.ExecReload": "/bin/kill -HUP $MAINPID", "Service.NoNewPrivileges": "yes", "Service.ProtectSystem": "strict",
		"Service.CapabilityBoundingSet": "", "Install.WantedBy": "multi-user.target",
	} {
		if got := values[key]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	for _, server := range []string{"redis-server.service", "memcached.service"} {
		if !slices.Contains(strings.Fields(values["Unit.After"][0]), server) {
			t.Errorf("the agent would stop after %s", server)
		}
	}
	start := strings.Fields(values["Service.ExecStart"][0])
	if start[0] != "/usr/local/bin/ringway" {
		t.Fatalf("ExecStart %q", start)
	}
	cmd := parsed(t, start[1:])
	leave, err := cmd.Flags().GetDuration("leave-timeout")
	if err != nil || leave == 0 {
		t.Fatalf("leave timeout %v, %v", leave, err)
	}
	stop, err := time.ParseDuration(values["Service.TimeoutStopSec"][0] + "s")
	if err != nil || stop < leave+longestGoodbye {
		t.Errorf("TimeoutStopSec %v, want at least %v", stop, leave+longestGoodbye)
	}
}

// longestGoodbye is what an agent may take to end, beside handing over.
const longestGoodbye = 25 * time.Second

// The example's keys are settings, and its values fit together.
func TestAgentYAML(t *testing.T) {
	clearVariables(t)
	dir := t.TempDir()
	for name, content := range map[string]string{"gossip.keys": "MDEyMzQ1Njc4OWFiY2RlZg==\n", "redis.password": "secret\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.ReplaceAll(readDeploy(t, "agent.yaml"), "/etc/ringway", dir)
	code, stdout, stderr := run("agent", "--config", writeFile(t, "agent.yaml", text), "--print-config")
	if code != 0 || stderr != "" || !strings.Contains(stdout, "server-address: 10.0.0.1:6379") || strings.Contains(stdout, "secret") {
		t.Errorf("exit %d, %s\n%s", code, stderr, stdout)
	}
}

// compose is what the test looks at.
type compose struct {
	Services map[string]struct {
		Image       string
		Command     []string
		Environment map[string]string
		DependsOn   []string `yaml:"depends_on"`
		StopGrace   string   `yaml:"stop_grace_period"`
		Healthcheck struct{ Test []string }
		Secrets     []string
		Build       struct{ Context, Dockerfile string }
	}
	Secrets map[string]struct{ File string }
}

func TestCompose(t *testing.T) {
	var file compose
	if err := yaml.Unmarshal([]byte(readDeploy(t, "compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	agents, ids := 0, make(map[string]bool)
	for name, s := range file.Services {
		if s.Image != "ringway" {
			continue
		}
		agents++
		cmd := parsed(t, s.Command)
		id, _ := cmd.Flags().GetString("id")
		server, _ := cmd.Flags().GetString("server")
		host := strings.TrimSuffix(strings.TrimPrefix(server, "redis://"), ":6379")
		if id == "" || ids[id] || !slices.Contains(s.DependsOn, host) || file.Services[host].Image == "" {
			t.Errorf("%s: id %q, server %q, after %q", name, id, server, s.DependsOn)
		}
		ids[id] = true
		checkVariables(t, name, cmd, s.Environment)
		for _, member := range strings.Split(s.Environment["RINGWAY_JOIN"], ",") {
			if file.Services[member].Image != "ringway" {
				t.Errorf("%s joins %s, which is no agent", name, member)
			}
		}
		leave, errLeave := time.ParseDuration(s.Environment["RINGWAY_LEAVE_TIMEOUT"])
		grace, errGrace := time.ParseDuration(s.StopGrace)
		if errLeave != nil || errGrace != nil || grace < leave+longestGoodbye {
			t.Errorf("%s: grace %v for a leave of %v", name, grace, leave)
		}
		if len(s.Healthcheck.Test) < 2 || s.Healthcheck.Test[1] != "/ringway" {
			t.Fatalf("%s: health check %q", name, s.Healthcheck.Test)
		}
		parsed(t, s.Healthcheck.Test[2:])
		if len(s.Secrets) != 1 || file.Secrets[s.Secrets[0]].File == "" || s.Environment["RINGWAY_ENCRYPT_KEY_FILE"] != "/run/secrets/"+s.Secrets[0] {
			t.Errorf("%s: secrets %q", name, s.Secrets)
		}
		if _, err := os.Stat(filepath.Join(deploy, s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Error(err)
		}
	}
	if agents != 3 {
		t.Errorf("%d agents", agents)
	}
}

// checkVariables sees to it that each variable is that of a flag, and fits it.
func checkVariables(t *testing.T, name string, cmd *cobra.Command, environ map[string]string) {
	t.Helper()
	for variable, value := range environ {
		found := false
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if settings.Variable(f.Name) != variable {
				return
			}
			found = true
			if err := f.Value.Set(value); err != nil {
				t.Errorf("%s: %s=%s: %v", name, variable, value, err)
			}
		})
		if !found {
			t.Errorf("%s: %s is no setting", name, variable)
		}
	}
}

func TestContainerfile(t *testing.T) {
	text := readDeploy(t, "Containerfile")
	for _, want := range []string{"./cmd/ringway", "STOPSIGNAL SIGTERM", "USER 65532", "EXPOSE 7946/tcp 7946/udp 8946/tcp", `ENTRYPOINT ["/ringway"]`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in the Containerfile", want)
		}
	}
}

// What the page and the help tell people to type exists.
func TestCommandsInTexts(t *testing.T) {
	for _, name := range []string{"README.md", "compose.yaml", "agent.yaml"} {
		for _, line := range regexp.MustCompile("(?:^|[ `/])ringway ((?:agent|members|ring|locate)[^`#\n]*)").FindAllStringSubmatch(readDeploy(t, name), -1) {
			parsed(t, strings.Fields(line[1]))
		}
	}
	for _, flag := range regexp.MustCompile("`--([a-z-]+)`").FindAllStringSubmatch(readDeploy(t, "README.md"), -1) {
		if parsed(t, []string{"agent"}).Flags().Lookup(flag[1]) == nil {
			t.Errorf("--%s is no flag", flag[1])
		}
	}
	metrics, err := os.ReadFile("../../internal/agent/metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, metric := range regexp.MustCompile(`ringway_agent_([a-z_]+)`).FindAllStringSubmatch(readDeploy(t, "README.md"), -1) {
		if !strings.Contains(string(metrics), `{"`+metric[1]+`", `) {
			t.Errorf("%s is no metric", metric[0])
		}
	}
	examples := 0
	var each func(cmd *cobra.Command)
	each = func(cmd *cobra.Command) {
		for line := range strings.Lines(strings.ReplaceAll(cmd.Example, "\\\n", " ")) {
			_, line, _ = strings.Cut(" "+strings.TrimSpace(line), " ringway ")
			examples++
			parsed(t, strings.Fields(line))
		}
		for _, c := range cmd.Commands() {
			each(c)
		}
	}
	each(newRoot("test"))
	if examples < 15 {
		t.Errorf("only %d examples were found", examples)
	}
}

// The README promises a fleet by hand in four commands, and a program of ten lines
// that finds it. That the program builds is for package layout to see.
func TestFleetByHandInTheREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(readme), "\n## ")
	if len(sections) < 4 || !strings.HasPrefix(sections[3], "A fleet by hand\n") {
		t.Fatal("the third section is not A fleet by hand")
	}
	var commands [][]string
	for line := range strings.Lines(sections[3]) {
		if command, is := strings.CutPrefix(line, "    "); is {
			commands = append(commands, strings.Fields(command))
		}
	}
	if len(commands) != 4 {
		t.Fatalf("%d commands, want 4: %q", len(commands), commands)
	}
	for _, words := range commands[1:] {
		if words[0] != "./ringway" || words[1] != "agent" || words[len(words)-1] != "&" {
			t.Fatalf("%q is no agent in the background", words)
		}
		clearVariables(t)
		if _, err := loadAgent(t, words[2:len(words)-1]...); err != nil {
			t.Errorf("%q: %v", words, err)
		}
	}
	_, program, _ := strings.Cut(sections[3], "```go\n")
	program, _, _ = strings.Cut(program, "```")
	if n := strings.Count(program, "\n"); n != 10 || !strings.Contains(program, "gossip.Join(") {
		t.Errorf("a program of %d lines, want 10:\n%s", n, program)
	}
}
