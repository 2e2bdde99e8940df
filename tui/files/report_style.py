"""How a report's page looks: its one style sheet, in the inks of the dashboard, light and dark. Loads nothing."""

STYLE = """
:root{color-scheme:light dark;--page:#f7f9fc;--panel:#fff;--edge:#dde5ee;--bright:#0b1523;--text:#243140;--soft:#47576a;
--dim:#66768a;--faint:#bcc8d5;--accent:#067783;--amber:#935c00;--violet:#6a43c4;--green:#1a7a43;--red:#c0322a;
--blue:#2a62b2;--grey:#6d7784;--mono:ui-monospace,"SF Mono","Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;
--sans:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
@media (prefers-color-scheme:dark){:root{--page:#090e16;--panel:#0f1824;--edge:#1d2a3b;--bright:#eef4fb;--text:#c3cedb;
--soft:#93a1b3;--dim:#7d8b9e;--faint:#334156;--accent:#4cd3dc;--amber:#e9b65c;--violet:#b598f5;--green:#6fcf97;
--red:#f2736c;--blue:#6f9fd8;--grey:#7d8794}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 var(--sans);overflow-wrap:anywhere}
main{max-width:1180px;margin:0 auto;padding:32px 24px 48px}
h1{margin:2px 0 6px;font-size:27px;line-height:1.2;font-weight:650;letter-spacing:-.01em;color:var(--bright)}
h2{margin:40px 0 14px;font-size:13px;font-weight:600;letter-spacing:.09em;text-transform:uppercase;color:var(--soft)}
h3{margin:0;font-size:14px;font-weight:600;color:var(--bright)}
p{margin:0}.word{font:600 14px var(--mono);color:var(--accent);letter-spacing:.02em}
.meta{color:var(--soft);font-size:14px}.meta b{font-weight:500;color:var(--text)}
.chip{display:inline-block;padding:1px 9px;border:1px solid currentColor;border-radius:99px;font-size:12px;
font-weight:500;vertical-align:1px}
.i-blue{--ink:var(--blue)}.i-accent{--ink:var(--accent)}.i-violet{--ink:var(--violet)}.i-bright{--ink:var(--bright)}
.i-amber{--ink:var(--amber)}.i-green{--ink:var(--green)}.i-red{--ink:var(--red)}.i-grey{--ink:var(--grey)}
.i-faint{--ink:var(--faint)}
.chip,.ink{color:var(--ink,inherit)}
.notes{margin:16px 0 0;padding:10px 14px;border-left:3px solid var(--amber);background:var(--panel);color:var(--text)}
.panel,.tile{background:var(--panel);border:1px solid var(--edge);border-radius:8px}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin:24px 0 0}
.tile{flex:1 1 124px;padding:12px 14px;border-top:3px solid var(--ink)}.tile dt{font-size:12px;color:var(--dim)}
.tile dd{margin:2px 0 0;font:600 22px/1.2 var(--mono);color:var(--bright);font-variant-numeric:tabular-nums}
.tile small{display:block;margin-top:3px;font:12px/1.4 var(--sans);color:var(--soft)}
.share{display:flex;height:10px;margin-top:24px;gap:2px}.share i{background:var(--ink);min-width:3px;border-radius:2px}
.key{display:flex;flex-wrap:wrap;gap:2px 16px;margin-top:8px;font-size:13px;color:var(--soft)}
.key i,figcaption i{display:inline-block;width:9px;height:9px;margin-right:6px;border-radius:2px;background:var(--ink)}
.key b{font-weight:600;color:var(--text)}
.grid-of{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr));gap:14px}
.tables{display:grid;gap:14px;grid-template-columns:minmax(0,1fr)}
.narrow{columns:330px;column-gap:14px}.narrow .panel{margin-bottom:14px}.narrow .panel:last-child{margin-bottom:0}
.glance{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,240px),1fr));gap:14px}
.named{grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr))}
.bars{padding:12px 14px}.bars p{display:grid;grid-template-columns:max-content 1fr minmax(5.5em,max-content);
gap:10px;align-items:center;margin-top:7px;font:12.5px/1.3 var(--mono);color:var(--soft)}
.bars p span:last-child{text-align:right;color:var(--bright)}
.bars i{height:12px;border-radius:3px;background:var(--page)}
.bars i b{display:block;height:100%;min-width:2px;border-radius:3px;background:var(--ink)}
figure{margin:0;padding:12px 14px 8px;min-width:0;break-inside:avoid}
figcaption small{display:flex;flex-wrap:wrap;gap:0 12px;
min-height:20px;color:var(--dim);font-size:12.5px}figcaption span{white-space:nowrap}
figcaption i.line,figcaption i.dashes{width:14px;height:0;border-top:2px solid var(--ink);
vertical-align:4px;background:none}
figcaption i.dashes{border-top-style:dashed}figcaption i.ticks{clip-path:polygon(0 15%,100% 15%,50% 100%)}
svg{display:block;width:100%;height:auto;margin-top:6px;overflow:visible}
svg text{font:11.5px var(--mono);fill:var(--dim)}svg .said{fill:var(--text)}.grid{stroke:var(--edge)}
.tick{stroke:var(--faint)}.area{fill:var(--ink);fill-opacity:.17}.bar{fill:var(--ink)}.line{fill:none;stroke:var(--ink);
stroke-width:1.5;stroke-linejoin:round}.dashed{stroke-dasharray:5 4}.mark{stroke:var(--bright);stroke-width:1;
stroke-dasharray:2 2}.hit{fill:transparent}.hit:hover{fill:var(--faint);fill-opacity:.25}
rect.bar{fill-opacity:.75}g:hover rect.bar{fill-opacity:1}
.scroll{overflow-x:auto;padding:10px 14px 8px;break-inside:avoid}
table{width:100%;border-collapse:collapse;font-size:14px}
caption{padding:2px 0 6px;text-align:left;font-weight:600;color:var(--bright)}
th{padding:4px 12px 4px 0;text-align:left;font-weight:400;color:var(--soft)}thead th{font-size:12px;color:var(--dim)}
td,thead th+th{padding:4px 0 4px 14px;text-align:right}
td{font:13.5px/1.45 var(--mono);font-variant-numeric:tabular-nums;color:var(--bright);vertical-align:top}
tbody tr+tr>*{border-top:1px solid var(--edge)}
.compared small{margin-left:6px;font-size:12px;color:var(--dim);white-space:nowrap}td small.better{color:var(--green)}
td small.worse{color:var(--red)}
.numbers td,.numbers th{white-space:nowrap}.errors th{color:var(--text)}.texts th{width:170px;min-width:110px}
.texts td,.texts thead th+th{text-align:left}.texts td{min-width:120px}
.compared small{display:inline-block;min-width:4.6em;text-align:right}
.numbers td.long{white-space:normal;font-size:12.5px}
.mark-of{display:inline-grid;place-items:center;width:20px;height:20px;border-radius:5px;
background:var(--accent);color:var(--page);font:700 12px/1 var(--mono);margin-right:7px}
.runs{display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(min(100%,260px),1fr));margin-top:24px}
.runs .panel{padding:12px 14px}.runs p{font-size:13px;color:var(--soft)}
.small{font-size:13px;color:var(--soft);max-width:82ch}.small dt{float:left;clear:left;min-width:11ch;margin-right:1ch;
color:var(--text)}.small dd{margin:0 0 4px 12ch}footer{margin-top:32px;font-size:12px;color:var(--dim)}
.compared{table-layout:fixed}.compared thead th:first-child{width:190px}
@media (max-width:560px){.numbers td{font-size:12px;padding-left:7px}.numbers th{padding-right:0;font-size:13px}
main{padding:20px 14px 32px}h1{font-size:22px}.tile dd{font-size:19px}
}
@media print{:root{color-scheme:light;--page:#fff;--panel:#fff;--edge:#ccd5df;--bright:#0b1523;--text:#243140;
--soft:#47576a;--dim:#5a6a7d;--faint:#bcc8d5;--accent:#067783;--amber:#935c00;--violet:#6a43c4;--green:#1a7a43;
--red:#c0322a;--blue:#2a62b2;--grey:#6d7784}main{max-width:none;padding:0}body{font-size:12px;
-webkit-print-color-adjust:exact;print-color-adjust:exact}h2{break-after:avoid}.hit{display:none}}
"""

__all__ = ["STYLE"]
