package main

// This file prints what was measured.

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
)

// figures is one candidate's line.
type figures struct {
	Row, Candidate         string
	MinNanos, MedianNanos  float64 // of a unit
	MegabytesPerSecond     float64 `json:",omitempty"` // by the minimum
	Allocations            float64 // of a unit
	TimesByMin, TimesByMed float64 // this candidate's time over that of embws
	Goal                   string  `json:",omitempty"`
}

func allFigures(rows []*row) (all []figures) {
	for _, r := range rows {
		ours := r.cands[0]
		for _, c := range r.cands {
			f := figures{
				Row: r.name, Candidate: c.name, MinNanos: c.min(), MedianNanos: c.median(), Allocations: c.allocations,
				TimesByMin: c.min() / ours.min(), TimesByMed: c.median() / ours.median(),
			}
			if r.bytes > 0 {
				f.MegabytesPerSecond = float64(r.bytes) / c.min() * 1000
			}
			for _, g := range r.goals {
				if g.peer == c.name {
					f.Goal = fmt.Sprintf(">= %.3gx: %s", g.times, verdict(f, g))
				}
			}
			all = append(all, f)
		}
	}
	return all
}

func verdict(f figures, g goal) string {
	switch byMin, byMed := f.TimesByMin >= g.times, f.TimesByMed >= g.times; {
	case byMin && byMed:
		return "met"
	case byMin:
		return "met by the minimum only"
	case byMed:
		return "met by the median only"
	}
	return "MISSED"
}

func printTable(w io.Writer, rows []*row) {
	fmt.Fprintf(w, "%s, %d CPUs, %s %s/%s\n\n", machine(), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintln(w, "| work | candidate | ns min | ns median | MB/s | allocs | its time / ours: min | median | goal |")
	fmt.Fprintln(w, "|---|---|--:|--:|--:|--:|--:|--:|---|")
	last := ""
	for _, f := range allFigures(rows) {
		work, speed := f.Row, ""
		if work == last {
			work = ""
		}
		last = f.Row
		if f.MegabytesPerSecond > 0 {
			speed = fmt.Sprintf("%.0f", f.MegabytesPerSecond)
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %.3g | %.2f | %.2f | %s |\n", work, f.Candidate,
			short(f.MinNanos), short(f.MedianNanos), speed, f.Allocations, f.TimesByMin, f.TimesByMed, f.Goal)
	}
	fmt.Fprintln(w)
	for _, r := range rows {
		if r.remark != nil {
			fmt.Fprintf(w, "%s: %s\n\n", r.name, r.remark(r))
		}
	}
	printContracts(w, rows)
}

// The lines between which a file holds the table.
const (
	tableBegin = "<!-- table: written by go run . -update README.md -->\n"
	tableEnd   = "<!-- end of table -->\n"
)

// updateFile puts table into the file, in place of the one that is there.
func updateFile(name string, table []byte) error {
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	head, rest, begins := bytes.Cut(old, []byte(tableBegin))
	_, tail, ends := bytes.Cut(rest, []byte(tableEnd))
	if !begins || !ends {
		return fmt.Errorf("%s has not the two marker lines of the table", name)
	}
	all := slices.Concat(head, []byte(tableBegin), []byte("\n"), bytes.TrimSpace(table), []byte("\n\n"), []byte(tableEnd), tail)
	return os.WriteFile(name, all, 0o644)
}

// printContracts says what the rows have promised, those that promise the same together.
func printContracts(w io.Writer, rows []*row) {
	fmt.Fprint(w, "What is the same for all candidates of a row:\n\n")
	for i, r := range rows {
		if i > 0 && rows[i-1].contract == r.contract {
			continue
		}
		names := r.name
		for _, next := range rows[i+1:] {
			if next.contract != r.contract {
				break
			}
			names += "; " + next.name
		}
		fmt.Fprintf(w, "- *%s*: %s\n", names, r.contract)
	}
	fmt.Fprint(w, "\nAnd where a candidate departs from it:\n\n")
	printed := map[string]bool{}
	for _, r := range rows {
		for _, c := range r.cands {
			if line := fmt.Sprintf("- *%s*: %s.\n", c.name, c.note); c.note != "" && !printed[line] {
				printed[line] = true
				fmt.Fprint(w, line)
			}
		}
	}
}

// short prints v with three digits or all that stand before the point.
func short(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// machine names the processor, where the system tells.
func machine() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	facts := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		name, value, _ := strings.Cut(s.Text(), ":")
		if name = strings.TrimSpace(name); facts[name] == "" {
			facts[name] = strings.TrimSpace(value)
		}
	}
	name := facts["model name"]
	if name == "" {
		return runtime.GOARCH
	}
	return fmt.Sprintf("%s (family %s, model %s)", name, facts["cpu family"], facts["model"])
}
