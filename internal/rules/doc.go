// Package rules tests that the alert rules under docs/dashboards fire when they should,
// and do not when they should not, with the engine of Prometheus itself. It has nothing
// but tests.
//
// testdata/cache-rules.test.yaml has for each alert what makes it fire, and what does
// not. It is what promtool takes, too:
//
//	promtool test rules internal/rules/testdata/cache-rules.test.yaml
//
// The package is a module of its own, which `make rules` tests: nobody who uses ringway
// is to need Prometheus, and to compile it takes longer than everything else.
// https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/
package rules
