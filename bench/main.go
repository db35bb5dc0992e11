// Command bench measures package ws beside other WebSocket libraries for Go, and prints a table in Markdown:
//
//	cd bench && go run .
//
// README.md tells how to read it. Each row is one kind of work, which several candidates do on the same bytes. go test
// checks that all of them come to the same result.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 31, "rounds of each row, at least 15; in each round every candidate has its turn")
	pick := flag.String("run", "", "measure only the rows whose name matches this `regexp`")
	short := flag.Bool("short", false, "shorter turns: a look, not a measurement")
	file := flag.String("json", "", "also write the figures to this `file`")
	update := flag.String("update", "", "also write the table into this `file`, between its two marker lines")
	flag.Parse()
	if flag.NArg() > 0 {
		fail(fmt.Errorf("unexpected argument %q", flag.Arg(0)))
	}
	match, err := regexp.Compile(*pick)
	if err != nil {
		fail(err)
	}
	turn := 2 * time.Millisecond
	if *short {
		turn = 200 * time.Microsecond
	}

	var rows []*row
	for _, build := range allRows {
		r := build()
		if match.MatchString(r.name) {
			fmt.Fprintln(os.Stderr, "measuring:", r.name)
			r.measure(max(*rounds, 15), turn)
			rows = append(rows, r)
		}
		r.close()
	}
	var table bytes.Buffer
	printTable(&table, rows)
	_, _ = os.Stdout.Write(table.Bytes())
	if *update != "" {
		if err := updateFile(*update, table.Bytes()); err != nil {
			fail(err)
		}
	}
	if *file != "" {
		report := struct {
			Machine, Go string
			Rounds      int
			Rows        []figures
		}{machine(), runtime.Version(), max(*rounds, 15), allFigures(rows)}
		data, err := json.MarshalIndent(report, "", "  ")
		if err == nil {
			err = os.WriteFile(*file, append(data, '\n'), 0o644)
		}
		if err != nil {
			fail(err)
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

// allRows makes the rows, in the order of the table.
var allRows = concat(decodeRows, textRows, maskRows, encodeRows, upgradeRows, linearRows)

func concat(groups ...[]func() *row) (all []func() *row) {
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}
