/// The page's style sheet: one scale of type, one column, light and dark.
enum Style {
  static let sheet: StaticString = """
    :root { color-scheme: light; --paper: #ffffff; --ink: #1b1d22; --quiet: #5c626d; --line: #e2e4e9;
      --tint: #f5f6f8; --link: #0b5cad; --yes: #0a6b4f; --no: #a33b00; --open: #5c626d; }
    @media (prefers-color-scheme: dark) { :root:not([data-theme=light]) { color-scheme: dark; --paper: #15171b;
      --ink: #e8eaee; --quiet: #a3a9b5; --line: #31353d; --tint: #1e2127; --link: #7db7f5; --yes: #56c7a0;
      --no: #f09560; --open: #a3a9b5; } }
    :root[data-theme=dark] { color-scheme: dark; --paper: #15171b; --ink: #e8eaee; --quiet: #a3a9b5;
      --line: #31353d; --tint: #1e2127; --link: #7db7f5; --yes: #56c7a0; --no: #f09560; --open: #a3a9b5; }
    * { box-sizing: border-box; }
    html { scroll-behavior: smooth; scroll-padding-top: 3.5rem; -webkit-text-size-adjust: 100%; }
    @media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
    body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, -apple-system,
      "Segoe UI", Roboto, "Helvetica Neue", sans-serif; font-variant-numeric: tabular-nums; }
    main { max-width: 70rem; margin: 0 auto; padding: 1.5rem 1.25rem 5rem; }
    nav { position: sticky; top: 0; z-index: 3; display: flex; gap: 1rem; align-items: center; padding: .5rem 1.25rem;
      background: var(--paper); border-bottom: 1px solid var(--line); font-size: .875rem; }
    nav ul { display: flex; gap: 1.1rem; list-style: none; margin: 0; padding: .3rem 1.5rem .3rem .2rem; flex: 1; min-width: 0;
      overflow-x: auto; scrollbar-width: none; mask-image: linear-gradient(to left, transparent, black 1.5rem); }
    nav button { flex: none; }
    nav a { color: var(--quiet); text-decoration: none; white-space: nowrap; }
    nav a:hover, nav a[aria-current] { color: var(--ink); text-decoration: underline; text-underline-offset: .35em; }
    a { color: var(--link); }
    .skip { position: absolute; left: -100rem; }
    .skip:focus { left: 1rem; top: .5rem; z-index: 4; background: var(--paper); padding: .4rem .8rem; }
    :focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
    h1 { font-size: 2.25rem; line-height: 1.15; letter-spacing: -.015em; margin: .2rem 0 .5rem; text-wrap: balance; }
    h2 { font-size: 1.5rem; line-height: 1.25; letter-spacing: -.01em; margin: 3rem 0 .75rem; text-wrap: balance; }
    h3 { font-size: 1.125rem; margin: 2.5rem 0 .5rem; }
    h4 { font-size: 1rem; margin: 1.25rem 0 .4rem; }
    p { max-width: 44rem; margin: .5rem 0 1rem; }
    .brand { color: var(--quiet); font-size: .875rem; letter-spacing: .06em; text-transform: uppercase; margin: 1rem 0 0; }
    .lead { font-size: 1.125rem; line-height: 1.5; }
    .warning { border-left: .2rem solid var(--line); padding-left: .9rem; font-size: .9375rem; }
    .quiet { color: var(--quiet); font-size: .875rem; }
    code { font: .875em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
    code.long { overflow-wrap: anywhere; }
    .mark { width: .8rem; height: .8rem; flex: none; margin-right: .55rem; position: relative; top: .06rem; }
    .models { list-style: none; padding: 0; margin: 1.25rem 0; display: grid; gap: .6rem 2rem;
      grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); }
    @media (max-width: 24rem) { .models { grid-template-columns: 1fr; } }
    .models li { display: flex; align-items: baseline; }
    .models li span span { display: block; }
    .findings { list-style: none; padding: 0; margin: 0; max-width: 56rem; }
    .findings li { display: grid; grid-template-columns: 8.5rem 1fr; gap: 1rem; padding: .8rem 0;
      border-top: 1px solid var(--line); align-items: baseline; }
    .findings li > span > span { display: block; }
    .findings .sentence { font-size: 1.0625rem; }
    .findings .numbers { margin-top: .15rem; }
    @media (max-width: 36rem) { .findings li { grid-template-columns: 1fr; gap: .2rem; } }
    .verdict { font-size: .875rem; font-weight: 600; white-space: nowrap; }
    .verdict::before { content: ""; display: inline-block; width: .6rem; height: .6rem; margin-right: .45rem;
      border: 2px solid currentColor; }
    .verdict.yes { color: var(--yes); } .verdict.yes::before { border-radius: 50%; background: currentColor; }
    .verdict.no { color: var(--no); } .verdict.no::before { transform: rotate(45deg); }
    .verdict.small { font-size: .75rem; } .verdict.small::before { width: .45rem; height: .45rem; margin-right: .3rem; }
    .verdict.open { color: var(--open); } .verdict.open::before { border-radius: 50%; }
    .strip, .sheet { display: flex; flex-wrap: wrap; gap: .5rem; margin: .5rem 0; }
    .strip img, .sheet img { display: block; width: 72px; height: 72px; object-fit: contain; background: #fff;
      border: 1px solid var(--line); border-radius: 3px; }
    .sheet { gap: .25rem; } .sheet img { width: 56px; height: 56px; }
    .named { width: 72px; } .named span { display: block; font-size: .75rem; text-align: center; overflow: hidden;
      text-overflow: ellipsis; }
    .maps { display: flex; gap: 1.5rem; align-items: flex-start; padding: .25rem 0; }
    .maps .whole { display: grid; gap: .6rem; } .maps table { width: auto; } .maps th { white-space: nowrap; }
    .maps tbody th { vertical-align: middle; text-align: left; font-weight: 500; padding-right: .75rem; }
    .maps thead th { text-align: center; } .maps tbody th, .maps thead th { border: 0; }
    .maps td { border: 0; padding: .15rem .25rem; } .map img { display: block; width: 112px; height: auto; border-radius: 3px; }
    .map span { display: block; font-size: .75rem; text-align: center; padding-top: .15rem; }
    .field-row { margin: 0 0 1.1rem; } .field-name { display: flex; align-items: baseline; gap: .15rem .5rem;
      flex-wrap: wrap; margin: .2rem 0 .35rem; overflow-wrap: anywhere; } .field-name .mark { margin-right: 0; }
    .fields { display: grid; grid-template-columns: repeat(8, minmax(0, 1fr)); gap: .75rem .6rem; }
    @media (max-width: 56rem) { .fields { grid-template-columns: repeat(4, minmax(0, 1fr)); } }
    .fields.large { grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 1rem .9rem; }
    @media (max-width: 56rem) { .fields.large { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
    .fields.large img { width: 100%; }
    .field { font-size: .75rem; line-height: 1.35; min-width: 0; } .field .quiet { font-size: inherit; }
    .field img, .field .missing { display: block; max-width: 100%; border-radius: 3px; margin-bottom: .25rem; }
    .field span { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .field .verdict { white-space: normal; }
    .field-scale { display: flex; gap: .6rem; align-items: center; flex-wrap: wrap; font-size: .75rem;
      color: var(--quiet); margin: .4rem 0 .8rem; }
    .ramp { width: 9rem; height: .6rem; border-radius: 2px; print-color-adjust: exact; background:
      linear-gradient(90deg, #000004, #150e37, #3b0f70, #651a80, #8c2981, #b6377a, #de4968, #f76f5c, #fe9f6d,
      #fece91, #fcfdbf); }
    .ramp.diverging { background: linear-gradient(90deg, #08519c, #6baed6, #f2f2f2, #fdae6b, #a63603); }
    .ramp.similarity { background: linear-gradient(90deg, #440154, #414487, #2a788e, #22a884, #7ad151, #fde725); }
    .block { display: block; } .scroll.tall { max-height: none; }
    .figure { margin: 1.5rem 0 2rem; }
    .drawing { overflow-x: auto; padding: 4px 0; min-height: 3rem; }
    .drawing.vega-embed { display: block; max-width: 100%; padding: 4px 0; }
    figcaption { color: var(--quiet); font-size: .875rem; line-height: 1.5; max-width: 56rem; margin: .5rem 0; }
    .actions { display: flex; flex-wrap: wrap; gap: .4rem; margin: .5rem 0; }
    button { font: inherit; font-size: .8125rem; color: var(--quiet); background: none; border: 1px solid var(--line);
      border-radius: 4px; padding: .2rem .6rem; cursor: pointer; white-space: nowrap; }
    button:hover { color: var(--ink); border-color: var(--quiet); }
    .again { display: flex; gap: .75rem; align-items: center; font-size: .875rem; color: var(--quiet); margin: .75rem 0;
      flex-wrap: wrap; }
    .command { display: inline-flex; gap: .75rem; align-items: center; background: var(--tint); border-radius: 4px;
      padding: .35rem .4rem .35rem .75rem; max-width: 100%; }
    .command code { overflow-wrap: anywhere; color: var(--ink); }
    details { margin: .75rem 0; border-top: 1px solid var(--line); border-bottom: 1px solid var(--line); }
    details + details { border-top: 0; margin-top: -.75rem; }
    summary { cursor: pointer; padding: .55rem 0; color: var(--link); font-size: .9375rem; }
    .scroll { overflow: auto; max-height: 32rem; margin: .5rem 0 1rem; }
    table { border-collapse: collapse; font-size: .875rem; min-width: 40rem; width: 100%; }
    th { text-align: left; font-weight: 600; position: sticky; top: 0; background: var(--paper); }
    th, td { padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
    td.number { white-space: nowrap; } td.nowrap { white-space: nowrap; }
    .caveats { max-width: 56rem; padding-left: 1.1rem; font-size: .9375rem; }
    .facts { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.5rem; font-size: .9375rem; }
    .facts dt { color: var(--quiet); } .facts dd { margin: 0; overflow-wrap: anywhere; }
    #vg-tooltip-element { position: fixed; z-index: 9; visibility: hidden; pointer-events: none; padding: .5rem .7rem;
      font: .8125rem/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
      border: 1px solid var(--quiet); border-radius: 4px; box-shadow: 0 2px 10px #0003; }
    #vg-tooltip-element.visible { visibility: visible; }
    #vg-tooltip-element td.key { color: var(--quiet); padding: 0 .75rem 0 0; border: 0; }
    #vg-tooltip-element td.value { padding: 0; border: 0; }
    #vg-tooltip-element table { min-width: 0; width: auto; font-size: inherit; }
    @media print { :root, :root[data-theme=dark] { color-scheme: light; --paper: #ffffff; --ink: #1b1d22;
      --quiet: #5c626d; --line: #e2e4e9; --tint: #f5f6f8; --link: #0b5cad; --yes: #0a6b4f; --no: #a33b00;
      --open: #5c626d; }
      nav, .actions, .skip, button { display: none !important; }
      main { max-width: none; padding: 0; } h2 { break-after: avoid; } figure, li { break-inside: avoid; }
      .drawing { overflow: visible; } .drawing svg, .drawing canvas { max-width: 100%; height: auto !important; } }
    """
}
