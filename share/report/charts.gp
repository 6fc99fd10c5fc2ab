# A chart for kvsplit report (src/cli/report.cpp), as PICTURE.svg and, where gnuplot can, PICTURE.png:
#   gnuplot -c charts.gp DATA PICTURE KIND "X LABEL" "Y LABEL"
# DATA is a block per series: its name, then rows of x, y, least, most, y as text, the number of its
# look, and its name again. KIND lines has a scale from 0, and is bars where all have one x; points
# have a logarithmic scale; grid has a row of cells per block, by the bits (1 … 16) that x is.
# Names and labels come from files that anybody may have made: they stand in data and in ARGn as
# values, never where gnuplot would read them as commands.
set encoding utf8
set datafile missing "-"
stats ARG1 every ::1 using 1:($2 > 0 || ARG3 eq "lines" ? $2 : NaN) nooutput
series = STATS_blocks
low_x = STATS_min_x
high_x = STATS_max_x
low = STATS_min_y
high = STATS_max_y
kind = ARG3 eq "lines" && low_x == high_x ? "bars" : ARG3

# Okabe and Ito's colours, without the yellow that is lost on white; shapes and dashes tell them too,
# and beyond eight other shapes do.
array colours[8] = [0x0072B2, 0xE69F00, 0x009E73, 0xD55E00, 0xCC79A7, 0x56B4E9, 0x8C8C8C, 0x000000]
array shapes[8] = [7, 5, 9, 13, 11, 4, 6, 8]
array looks[series]
do for [i = 1:series] {
  stats ARG1 index i - 1 every ::1 using 6 nooutput
  looks[i] = int(STATS_min)
}
colour(i) = colours[looks[i] % 8 + 1]
shape(i) = shapes[(looks[i] + looks[i] / 8) % 8 + 1]
dash(i) = 1 + looks[i] % 5
# Of a long name both ends, so that there is room for what is drawn.
short(name) = strlen(name) > 31 ? substr(name, 1, 16)."…".substr(name, strlen(name) - 13, strlen(name)) : name
is_long = 0
stats ARG1 every ::1 using (is_long = is_long || strlen(strcol(7)) > 24, 0) nooutput

# Numbers of an axis stand apart: there are six of them at most.
unit(reach) = reach > 0 ? 10 ** floor(log10(reach)) : 1
step(reach) = unit(reach) * (reach < 1.25 * unit(reach) ? 0.25 : reach < 2.5 * unit(reach) ? 0.5 : \
                             reach < 5 * unit(reach) ? 1 : 2)

# What is black takes the colour of the page's text: picture.css.
set border 3 linecolor rgb "black"
set tics nomirror out scale 0.6 textcolor rgb "black"
set grid linecolor rgb "#8C8C8C" linewidth 0.5
set xlabel ARG4 textcolor rgb "black"
set ylabel ARG5 textcolor rgb "black"
set key below left Left reverse samplen 2 maxcols (is_long ? 1 : 2) textcolor rgb "black"
height = 250 + 20 * series

if (kind eq "bars") {
  height = 90 + 26 * series
  set border 1
  set grid noytics xtics
  set yrange [series - 0.4 : -0.6]
  set ytics scale 0
  unset ylabel
  unset xlabel
  unset key
  set bmargin 4
  set label (ARG4 eq "" ? ARG5 : sprintf("%s, %.0f %s", ARG5, low_x, ARG4)) \
      at screen 0.5, character 1 center textcolor rgb "black"
  set format x "%g"
  set xtics step((is_long ? 3 : 1) * ((high > 0 ? high : 0) - (low < 0 ? low : 0)))
  set xrange [low < 0 ? low * 1.25 : 0 : high > 0 ? high * 1.25 : low < 0 ? -0.25 * low : 1]
}
if (kind eq "lines") {
  set xtics step(high_x)
  set xrange [0:*]
  set yrange [0:*]
  set offsets 0, graph 0.03, graph 0.08, 0
}
if (kind eq "points") {
  set logscale y
  set format "%g"
  set ytics (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
  set xtics step(high_x)
  set xrange [0:*]
  set yrange [low / 2 : high * 2]
  set offsets 0, graph 0.05, 0, 0
}
if (kind eq "grid") {
  # From cream over orange to vermilion, by the logarithm. Numbers are as dark on each of them, in
  # all pages, so they have a colour of their own.
  array is_used[16]
  array column[16]
  do for [bits = 1:16] { is_used[bits] = 0 }
  stats ARG1 every ::1 using (is_used[int($1)] = 1, 0) nooutput
  columns = 0
  do for [bits = 1:16] {
    if (is_used[bits] == 1) { column[bits] = columns; columns = columns + 1 }
  }
  range = high > low ? log(high / low) : 1
  shade(loss) = loss > 0 ? log(loss / low) / range : 0
  set palette defined (0 "#FFF6E0", 0.4 "#FBDD9A", 0.75 "#F0A63A", 1 "#E0762F")
  set cbrange [0:1]
  unset colorbox
  unset key
  unset grid
  set border 0
  set tics scale 0
  set xrange [-0.5 : columns - 0.5]
  set yrange [-0.5 : series - 0.5]
  height = 90 + 44 * series
}

do for [ending in "svg png"] {
  if (ending eq "png" && strstrt(GPVAL_TERMINALS, "pngcairo") == 0) { break }
  if (ending eq "svg") { set terminal svg size 440, height noenhanced font "sans-serif,14" }
  if (ending eq "png") { set terminal pngcairo size 880, 2 * height fontscale 2 noenhanced font "sans-serif,12" }
  set output ARG2.".".ending
  if (kind eq "bars") {
    plot for [i = 1:series] ARG1 index i - 1 using (0):(i - 1):(0):2:(i - 1.35):(i - 0.65):ytic(short(strcol(7))) \
           with boxxyerror fillstyle solid 0.85 noborder linecolor rgb colour(i) title columnheader(1), \
         for [i = 1:series] ARG1 index i - 1 using ($2 > 0 ? $2 : 0):(i - 1):5 \
           with labels left offset 0.4,0 title columnheader(1)
  }
  if (kind eq "lines") {
    plot for [i = 1:series] ARG1 index i - 1 using 1:2:3:4 with yerrorlines linecolor rgb colour(i) \
           linewidth 2 dashtype dash(i) pointtype shape(i) pointsize 0.7 title short(columnheader(1))
  }
  if (kind eq "points") {
    plot for [i = 1:series] ARG1 index i - 1 using 1:2 with points linecolor rgb colour(i) \
           pointtype shape(i) pointsize 1.3 title short(columnheader(1))
  }
  if (kind eq "grid") {
    plot for [i = 1:series] ARG1 index i - 1 \
           using (column[int($1)]):(i - 1):(column[int($1)] - 0.48):(column[int($1)] + 0.48):(i - 1.46):(i - 0.54):(shade($2)):xtic(1):ytic(7) \
           with boxxyerror fillstyle solid noborder linecolor palette title columnheader(1), \
         for [i = 1:series] ARG1 index i - 1 using (column[int($1)]):(i - 1):5 \
           with labels textcolor rgb "#101010" title columnheader(1)
  }
  unset output
}
