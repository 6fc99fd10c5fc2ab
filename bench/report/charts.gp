# One chart, for share/report/make-report:
#   gnuplot -c charts.gp KIND DATA PICTURE "TERMINAL" "X LABEL" "Y LABEL" "SERIES"
# KIND bars: rows of a label and a value. lines: a block per series, its title, then rows of x, y,
# least and most. points: likewise, rows of x and y. SERIES are the numbers of the bars or blocks, by
# which one cache looks the same in all charts. What is black becomes the page's colour of text.
set terminal @ARG4
set output ARG3
set encoding utf8
series = words(ARG7)

# Okabe and Ito's colours, without the yellow that is lost on white; shapes and dashes tell them too.
array colour[8] = [0x0072B2, 0xE69F00, 0x009E73, 0xD55E00, 0xCC79A7, 0x56B4E9, 0x8C8C8C, 0x000000]
array shape[8] = [7, 5, 9, 13, 11, 4, 6, 8]
look(i) = int(word(ARG7, int(i) + 1)) % 8 + 1
of(i) = colour[look(i)]

set border 3 linecolor rgb "black"
set tics nomirror out scale 0.6 textcolor rgb "black"
set grid linecolor rgb "#8C8C8C" linewidth 0.5
set xlabel ARG5 textcolor rgb "black"
set ylabel ARG6 textcolor rgb "black"
set key below left Left reverse samplen 2 maxcols 2 textcolor rgb "black"
set datafile missing "-"

if (ARG1 eq "bars") {
  stats ARG2 using 2 nooutput
  set border 1
  set grid noytics xtics
  set yrange [series - 0.4 : -0.6]
  set ytics scale 0
  unset ylabel
  unset xlabel
  set bmargin 4
  set label ARG6 at screen 0.5, character 1 center textcolor rgb "black"
  set format x "%g"
  low = STATS_min < 0 ? STATS_min * 1.25 : 0
  high = STATS_max > 0 ? STATS_max * 1.25 : -0.25 * STATS_min
  if (low == high) { high = 1 }
  set xrange [low : high]
  set xtics autofreq
  plot ARG2 using (0):0:(0):2:($0 - 0.35):($0 + 0.35):(of($0)):ytic(1) \
         with boxxyerror fillstyle solid 0.85 noborder linecolor rgb variable notitle, \
       ARG2 using ($2 > 0 ? $2 : 0):0:3 with labels left offset 0.4,0 notitle
}
if (ARG1 eq "lines") {
  set xrange [0:*]
  set yrange [0:*]
  set offsets 0, graph 0.03, graph 0.08, 0
  plot for [i = 0:series - 1] ARG2 index i using 1:2:3:4 with yerrorlines \
         linecolor rgb of(i) linewidth 2 dashtype 1 + (look(i) - 1) % 5 pointtype shape[look(i)] \
         pointsize 0.7 title columnheader(1)
}
if (ARG1 eq "points") {
  stats ARG2 using 2 nooutput
  set logscale y
  set format "%g"
  set ytics (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
  set xrange [0:*]
  set yrange [STATS_min / 2 : STATS_max * 2]
  set offsets 0, graph 0.05, 0, 0
  plot for [i = 0:series - 1] ARG2 index i using 1:2 with points \
         linecolor rgb of(i) pointtype shape[look(i)] pointsize 1.3 title columnheader(1)
}
unset output
