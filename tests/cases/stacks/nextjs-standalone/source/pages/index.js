export default function Home() {
  return <p>hello from next, alone</p>;
}

export function getServerSideProps() {
  return { props: {} };
}
