package rules

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v2"
)

const ruleTests = "testdata/cache-rules.test.yaml"

// testFile is what a file of rule tests has, as far as ours need it.
type testFile struct {
	RuleFiles          []string       `yaml:"rule_files"` // relative to the file
	EvaluationInterval model.Duration `yaml:"evaluation_interval"`
	Tests              []testGroup    `yaml:"tests"`
}

// testGroup is some series, and what is to fire because of them.
type testGroup struct {
	Name     string         `yaml:"name"`
	Interval model.Duration `yaml:"interval"` // between the values of a series
	Series   []inputSeries  `yaml:"input_series"`
	Alerts   []alertTest    `yaml:"alert_rule_test"`
}

type inputSeries struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

// alertTest is what an alert must be like at a time: all that fires, and nothing else.
type alertTest struct {
	At       model.Duration `yaml:"eval_time"`
	Alert    string         `yaml:"alertname"`
	Expected []firing       `yaml:"exp_alerts"`
}

type firing struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

func readTests(t *testing.T) (f testFile) {
	t.Helper()
	data, err := os.ReadFile(ruleTests)
	if err == nil {
		err = yaml.UnmarshalStrict(data, &f)
	}
	if err != nil {
		t.Fatalf("%s: %v", ruleTests, err)
	}
	if len(f.Tests) == 0 || len(f.RuleFiles) == 0 || f.EvaluationInterval <= 0 {
		t.Fatalf("%s: no tests, no rules or no interval", ruleTests)
	}
	for i, file := range f.RuleFiles {
		f.RuleFiles[i] = filepath.Join(filepath.Dir(ruleTests), file)
	}
	return f
}
