package simulations

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// An Assertion is a condition on figures, such as
//
//	ring.moved_unnecessary == 0 && balanced.peak_to_mean <= 1.02
//
// in the language of https://expr-lang.org/docs/language-definition, where a
// name stands for a placement (or another row of a result) and its members are
// the row's figures.
type Assertion struct {
	text    string
	program *vm.Program
	refs    []reference
}

type reference struct{ row, field string }

func (r reference) String() string { return r.row + "." + r.field }

// ParseAssertion reads an assertion about rows that have these fields. It fails
// with an *InputError, which lists the names that exist, if the text is no
// expression, names anything else, or is not a condition. Nothing needs to have
// been measured yet.
func ParseAssertion(text string, rows, fields []string) (*Assertion, error) {
	bad := func(found, want string) error {
		return &InputError{What: "assert", Found: found, Want: want}
	}
	tree, err := parser.Parse(text)
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		return nil, bad(quote(text), "an expression such as 'ring.moved < 0.1' ("+reason+")")
	}
	found := &references{}
	ast.Walk(&tree.Node, found)
	if len(found.names) > 0 {
		name := found.names[0]
		if slices.Contains(rows, name) {
			return nil, bad(fmt.Sprintf("%q without a figure in %s", name, quote(text)), name+".FIGURE with one of "+strings.Join(fields, ", "))
		}
		return nil, bad(fmt.Sprintf("the unknown name %q in %s", name, quote(text)), "one of "+strings.Join(rows, ", "))
	}
	for _, ref := range found.refs {
		if !slices.Contains(rows, ref.row) {
			return nil, bad(fmt.Sprintf("the unknown name %q in %s", ref.row, quote(text)), "one of "+strings.Join(rows, ", "))
		}
		if !slices.Contains(fields, ref.field) {
			return nil, bad(fmt.Sprintf("the unknown figure %q in %s", ref.String(), quote(text)), "one of "+strings.Join(fields, ", "))
		}
	}
	if len(found.refs) == 0 {
		return nil, bad(quote(text), "a condition on a figure, such as 'ring.moved < 0.1'")
	}
	program, err := expr.Compile(text, expr.Env(map[string]map[string]any{}), expr.AllowUndefinedVariables(), expr.AsBool(),
		expr.Function(finiteName, finite), expr.Patch(finiteResults{}))
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		return nil, bad(quote(text), "a condition that is true or false ("+reason+")")
	}
	return &Assertion{text: text, program: program, refs: found.refs}, nil
}

// finiteResults wraps everything that computes a number in a call of finite: a
// division by zero must not make a condition that happens to hold.
type finiteResults struct{}

func (finiteResults) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		if !strings.Contains(" + - * / % ** ^ ", " "+n.Operator+" ") {
			return
		}
	case *ast.BuiltinNode:
		if isPredicate(n.Name) {
			return // true or false: the compiler wants to know
		}
	case *ast.CallNode:
		if callee, named := n.Callee.(*ast.IdentifierNode); named && callee.Value == finiteName {
			return
		}
	default:
		return
	}
	ast.Patch(node, &ast.CallNode{Callee: &ast.IdentifierNode{Value: finiteName}, Arguments: []ast.Node{*node}})
}

func isPredicate(builtin string) bool {
	return slices.Contains([]string{"all", "none", "any", "one"}, builtin)
}

const finiteName = "finite"

// finite returns its one argument, unless that is infinite or no number at all.
func finite(args ...any) (any, error) {
	if x, isFloat := args[0].(float64); isFloat && (math.IsInf(x, 0) || math.IsNaN(x)) {
		return nil, fmt.Errorf("a part of it is %v", x)
	}
	return args[0], nil
}

// references collects the names of an expression: row.field, and names that
// stand alone.
type references struct {
	refs  []reference
	names []string
}

// Visit is called for children before their parents.
func (r *references) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.VariableDeclaratorNode:
		// Its name may have been met as an identifier below it.
		r.names = slices.DeleteFunc(r.names, func(name string) bool { return name == n.Name })
	case *ast.IdentifierNode:
		r.names = append(r.names, n.Value)
	case *ast.MemberNode:
		row, isName := n.Node.(*ast.IdentifierNode)
		field, isText := n.Property.(*ast.StringNode)
		if !isName || !isText {
			return
		}
		// The identifier was the last name met: the property is a string.
		if last := len(r.names) - 1; last >= 0 && r.names[last] == row.Value {
			r.names = r.names[:last]
		}
		if ref := (reference{row.Value, field.Value}); !slices.Contains(r.refs, ref) {
			r.refs = append(r.refs, ref)
		}
	}
}

// String returns the expression.
func (a *Assertion) String() string { return a.text }

// Check evaluates the assertion over the rows' figures. If it is false, actual
// lists the figures that it names, as "ring.moved = 0.0905". It fails with an
// *InputError for a figure that is null or not finite, for one that cannot be
// compared so (a word with a number), and where a part of the expression is not
// finite, as after a division by zero.
func (a *Assertion) Check(rows map[string]map[string]any) (ok bool, actual string, err error) {
	var values []string
	for _, ref := range a.refs {
		value := rows[ref.row][ref.field]
		if value == nil {
			found := fmt.Sprintf("%s, which is null, in %s", ref, quote(a.text))
			if note, _ := rows[ref.row]["note"].(string); note != "" {
				found += " (" + note + ")"
			}
			return false, "", &InputError{What: "assert", Found: found, Want: "a figure that " + ref.row + " has"}
		}
		if x, isFloat := value.(float64); isFloat && (math.IsInf(x, 0) || math.IsNaN(x)) {
			return false, "", &InputError{What: "assert", Found: fmt.Sprintf("%s, which is %v, in %s", ref, x, quote(a.text)), Want: "a figure that is finite"}
		}
		values = append(values, fmt.Sprintf("%s = %v", ref, value))
	}
	result, err := expr.Run(a.program, rows)
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		return false, "", &InputError{What: "assert", Found: quote(a.text), Want: "a condition that can be computed (" + reason + ")"}
	}
	holds, isBool := result.(bool)
	if !isBool {
		return false, "", &InputError{What: "assert", Found: quote(a.text), Want: "a condition that is true or false"}
	}
	return holds, strings.Join(values, ", "), nil
}
